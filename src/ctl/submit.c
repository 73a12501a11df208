#include "ctl/submit.h"
#include "ctl/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum { GREETING_S = 30, WAIT_S = 300, NAME_TRIES = 20 };

static void set_wait(int fd, int seconds)
{
	struct timeval wait = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
}

int submit_connect(void)
{
	int fd = ctl_connect("public/submit", 0);

	if (fd >= 0)
		set_wait(fd, GREETING_S);
	return fd;
}

/* A line into *line, without its end. -1: the connection ended. */
static int read_line(int fd, struct buf *in, struct buf *line)
{
	buf_reset(line);
	for (;;) {
		ptrdiff_t lf = str_chr(buf_str(in), '\n');
		char *p;
		ssize_t n;

		if (lf >= 0) {
			buf_add_str(line, str_trim(str_sub(buf_str(in), 0, (size_t)lf)));
			buf_consume(in, (size_t)lf + 1);
			return 0;
		}
		p = buf_reserve(in, 1024);
		n = p ? recv(fd, p, 1024, 0) : -1;
		if (n < 0 && p && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		buf_commit(in, (size_t)n);
	}
}

int submit_reply(int fd, struct buf *in, struct buf *text)
{
	struct buf line = BUF_INIT(4096);
	int code = -1;

	buf_reset(text);
	while (read_line(fd, in, &line) == 0) {
		if (line.n < 3)
			break;
		buf_addf(text, "%s%s", text->n ? "\n" : "", line.p);
		if (line.p[3] != '-') {
			code = atoi(line.p);
			break;
		}
	}
	buf_free(&line);
	return code;
}

/* One command and its reply. */
static int ask(int fd, struct buf *in, struct buf *text, struct str command)
{
	return ctl_send_all(fd, command) == 0 ? submit_reply(fd, in, text) : -1;
}

static struct str cut_line(struct str *text)
{
	ptrdiff_t lf = str_chr(*text, '\n');
	struct str line = str_sub(*text, 0, lf < 0 ? text->n : (size_t)lf + 1);

	*text = str_from(*text, line.n);
	return line;
}

static void note(struct buf *said, struct str command, const struct buf *reply)
{
	command = str_trim(command);
	if (command.n)
		buf_addf(said, "%.*s: %s\n", STR_ARG(command), reply->p ? reply->p : "");
	else
		buf_addf(said, "%s\n", reply->p ? reply->p : "");
}

static enum submit_result result_of(int code, struct str command, const struct buf *reply, struct buf *said)
{
	note(said, command, reply);
	return code < 500 || code > 599 ? SUBMIT_LATER : SUBMIT_REFUSED;
}

static enum submit_result talk(int fd, struct str text, struct buf *in, struct buf *reply, struct buf *said)
{
	struct str line = STR("EHLO localhost\r\n");
	unsigned accepted = 0, refused = 0;
	int code = submit_reply(fd, in, reply);

	if (code < 0)
		return SUBMIT_DOWN;
	if (code != 220)
		return result_of(code, STR(""), reply, said);
	set_wait(fd, WAIT_S);
	code = ask(fd, in, reply, line);
	while (code >= 200 && code < 300) {
		line = cut_line(&text);
		code = ask(fd, in, reply, line);
		if (!str_has_iprefix(line, STR("RCPT")))
			continue;
		accepted += code >= 200 && code < 300;
		if (code >= 500 && code < 600) { /* the others shall have it */
			refused++;
			note(said, line, reply);
			code = 250;
		}
		if (refused && str_has_iprefix(text, STR("DATA")) && accepted == 0)
			return SUBMIT_REFUSED;
	}
	if (code != 354)
		return result_of(code, line, reply, said);
	code = ask(fd, in, reply, text);
	if (code < 200 || code > 299)
		return result_of(code, STR(""), reply, said);
	return refused ? SUBMIT_PARTLY : SUBMIT_DONE;
}

enum submit_result submit_send(int fd, struct str text, struct buf *said)
{
	struct buf in = BUF_INIT(65536), reply = BUF_INIT(65536);
	enum submit_result r = talk(fd, text, &in, &reply, said);

	ctl_send_all(fd, STR("QUIT\r\n"));
	close(fd);
	buf_free(&in);
	buf_free(&reply);
	return r;
}

bool submit_is_whole(struct str text)
{
	bool has_rcpt = false;
	struct str line;

	if (!str_has_suffix(text, STR("\r\n.\r\n")) || !str_has_prefix(text, STR("MAIL FROM:<")))
		return false;
	cut_line(&text);
	while ((line = cut_line(&text)).n) {
		if (str_eq(line, STR("DATA\r\n")))
			return has_rcpt;
		if (!str_has_prefix(line, STR("RCPT TO:<")) || !str_has_suffix(line, STR("\r\n")))
			return false;
		has_rcpt = true;
	}
	return false;
}

bool submit_can_keep(void)
{
	struct stat st;

	return stat("maildrop", &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid());
}

/*
 * A file is whole when its owner may execute it: that is set after the flush. Its name is flushed with the whole file
 * system, for who may not read the directory cannot open it.
 */
int submit_keep(struct str text)
{
	unsigned long long random = 0;
	char path[64];
	int fd = -1, saved;

	for (int i = 0; i < NAME_TRIES && fd < 0; i++) {
		if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
			return -1;
		snprintf(path, sizeof path, "maildrop/%016llX", random);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno != EEXIST)
			return -1;
	}
	if (fd >= 0 && ctl_write_all(fd, text) == 0 && fsync(fd) == 0 && fchmod(fd, 0700) == 0 && syncfs(fd) == 0) {
		close(fd);
		return 0;
	}
	saved = errno;
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	errno = saved;
	return -1;
}

int submit_line(struct buf *text, struct str line)
{
	for (size_t i = 0; i < line.n; i++)
		if ((unsigned char)line.p[i] < 32 || line.p[i] == 127)
			return -1;
	return buf_add_str(text, line) == 0 ? buf_add_c(text, "\r\n") : -1;
}

void submit_content(struct buf *text, struct str content)
{
	struct str line;

	while (content.n) {
		line = cut_line(&content);
		if (line.n && line.p[line.n - 1] == '\n')
			line.n--;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n && line.p[0] == '.')
			buf_add_char(text, '.');
		buf_add_str(text, line);
		buf_add_c(text, "\r\n");
	}
	buf_add_c(text, ".\r\n");
}
