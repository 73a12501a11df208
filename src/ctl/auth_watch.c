#include "auth/auth_proto.h"
#include "ctl/auth_probe.h"
#include "ctl/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { ANSWER_MS = 2000, END_MS = 1000 };

/* The next line, waited for at most until `end_ns`. False: there is none. */
static bool next_line(int fd, struct buf *in, uint64_t end_ns, struct arena *mem, struct str *line)
{
	size_t used;

	while (auth_line_next(buf_str(in), &used, line) == 0) {
		uint64_t now = uv_hrtime();
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char *room = buf_reserve(in, AUTH_MAX_LINE);
		ssize_t n;

		if (room == NULL || now >= end_ns || poll(&p, 1, (int)((end_ns - now) / 1000000 + 1)) <= 0)
			return false;
		n = recv(fd, room, AUTH_MAX_LINE, 0);
		if (n <= 0)
			return false;
		buf_commit(in, (size_t)n);
	}
	if (used == 0)
		return false;
	*line = arena_dup(mem, *line);
	buf_consume(in, used);
	return true;
}

static int give_up(int fd, struct arena *mem, const char **why, const char *text)
{
	if (fd >= 0)
		close(fd);
	arena_free(&mem);
	*why = text;
	return -1;
}

int auth_watch(const char *session, const char **why)
{
	struct arena *mem = arena_new(0);
	struct buf in = BUF_INIT((size_t)4 * AUTH_MAX_LINE);
	uint64_t end_ns = uv_hrtime() + (uint64_t)ANSWER_MS * 1000000;
	int fd = ctl_connect("public/auth-trace", 0);
	struct str line;
	char ask[160];
	bool is_watching = false;

	if (fd < 0)
		return give_up(fd, mem, why,
			errno == EACCES || errno == EPERM
				? "only root, and the account that started the instance, are told them by authd"
				: "the service is no running authd of this instance; a Dovecot has them in its log, "
				  "with "
				  "auth_debug = yes");
	snprintf(ask, sizeof ask, "VERSION\t%d\t%d\nWATCH\t1\tsession=%s\n", AUTH_MAJOR, AUTH_MINOR, session);
	if (send(fd, ask, strlen(ask), MSG_NOSIGNAL) != (ssize_t)strlen(ask))
		return give_up(fd, mem, why, "authd closed its control socket");
	while (!is_watching && next_line(fd, &in, end_ns, mem, &line))
		is_watching = str_eq(line, STR("OK\t1"));
	buf_free(&in);
	if (!is_watching)
		return give_up(fd, mem, why, "authd gave no answer on its control socket");
	arena_free(&mem);
	return fd;
}

/* TRACE <id> <what> at=<us> k=v… Returns true: it was the last one. */
static bool take(struct report *r, struct str line, uint64_t *begin_ns)
{
	struct str field, what = { 0 }, value;
	struct report_step *s;
	uint64_t at_us = 0;

	if (!auth_field(&line, &field) || !str_eq(field, STR("TRACE")) || !auth_field(&line, &field) ||
		!auth_field(&line, &what))
		return false;
	if (auth_field(&line, &field) && auth_is_key(field, "at=", &value))
		str_u64(value, &at_us);
	s = report_add(r, arena_cdup(r->mem, what), 0);
	s->is_service = true;
	while (auth_field(&line, &field)) {
		ptrdiff_t eq = str_chr(field, '=');
		struct str raw = str_from(field, eq < 0 ? field.n : (size_t)eq + 1);

		if (eq > 0)
			report_pair(
				r, s, arena_cdup(r->mem, str_sub(field, 0, (size_t)eq)), auth_unescape(r->mem, raw));
		if (eq > 0 && str_has_prefix(field, STR("clock=")))
			str_u64(raw, begin_ns);
	}
	s->at_ns = *begin_ns + at_us * 1000;
	return str_eq(what, STR("end"));
}

void auth_watch_read(int fd, struct report *r)
{
	struct buf in = BUF_INIT((size_t)4 * AUTH_MAX_LINE);
	uint64_t end_ns = uv_hrtime() + (uint64_t)END_MS * 1000000, begin_ns = r->begin_ns;
	struct str line;

	while (next_line(fd, &in, end_ns, r->mem, &line) && !take(r, line, &begin_ns))
		;
	buf_free(&in);
	close(fd);
}
