/* report_original.c - what a delivery report returns of the message that it is about. */
#include "queued/queued.h"
#include "mime/dsn.h"

#include <errno.h>
#include <unistd.h>

enum {
	ORIGINAL_MAX_OCTETS = 32 * 1024 * 1024, /* of what is returned whole, whatever bounce_size_limit says */
	HEADER_MAX_OCTETS = 64 * 1024,
	READ_OCTETS = 64 * 1024
};

/* The header only: up to the empty line, whole lines. */
static size_t header_octets(struct str s)
{
	for (size_t at = 0; at < s.n;) {
		struct str rest = str_from(s, at);
		ptrdiff_t lf = str_chr(rest, '\n');

		if (lf < 0)
			return s.n > HEADER_MAX_OCTETS / 2 ? at : s.n;
		if (lf == 0 || (lf == 1 && rest.p[0] == '\r'))
			return at;
		at += (size_t)lf + 1;
	}
	return s.n;
}

static bool is_damaged(const struct active *a)
{
	return a->message->content_is_damaged || (a->env.flags & ENV_LOST);
}

/* 0, or negative errno: out has what lies before. */
static int read_content(const struct queued *q, const struct envelope *e, uint64_t want, struct buf *out)
{
	struct segment_set *set = segment_set_new();
	uint64_t from = 0;
	bool at_line_start = true;
	ssize_t n = 1;

	for (size_t i = 0; i < e->n_extent; i++) {
		struct segment *s = segment_find(q, e->extent[i].generation);
		int fd;

		if (s == NULL || segment_set_fd(set, s->head.generation) >= 0)
			continue;
		fd = dup(s->fd);
		if (fd < 0)
			n = -errno;
		else
			segment_set_add(set, s->head.generation, fd);
	}
	while (from < want && n > 0) {
		char *p = buf_reserve(out, READ_OCTETS);

		if (p == NULL)
			break;
		n = extents_read(set, e, from, p, READ_OCTETS);
		if (n <= 0)
			break;
		buf_commit(out, dot_unstuff(p, (size_t)n, &at_line_start));
		from += (uint64_t)n;
	}
	segment_set_free(&set);
	return n < 0 ? (int)n : 0;
}

/* RFC 3461 sec. 4.3: RET says what is wanted; only a failure ever returns the whole of it. */
static bool returns_full(const struct queued *q, const struct active *a, enum dsn_kind kind)
{
	return kind == DSN_FAILURE && !is_damaged(a) &&
	       !(a->env.flags & (ENV_RET_HDRS | ENV_BINARY | ENV_REQUIRETLS)) && a->env.size <= q->bounce_size_limit &&
	       a->env.size <= ORIGINAL_MAX_OCTETS;
}

/* The header, when the piece of the content that it is in can be read and checks, whatever became of the others. */
static void read_header(const struct queued *q, const struct active *a, struct buf *out)
{
	const struct envelope first = { .extent = a->env.extent, .n_extent = a->env.n_extent > 0 };

	if (message_content_is_whole(q, &first) == 1)
		read_content(q, &first, HEADER_MAX_OCTETS, out);
}

/* It could not be read. 0: it is damaged; else negative errno: the disk does not give it now, or it did not a moment ago. */
static int why_not(const struct queued *q, const struct envelope *e)
{
	int there = message_content_is_whole(q, e);

	return there == 1 ? -EAGAIN : there;
}

int report_original(const struct queued *q, const struct active *a, struct dsn_report *r, struct buf *whole)
{
	bool full = returns_full(q, a, r->kind), fails = is_damaged(a);
	int err = 0;

	if (!fails && read_content(q, &a->env, full ? extents_octets(&a->env) : HEADER_MAX_OCTETS, whole) != 0) {
		fails = true;
		err = why_not(q, &a->env);
	}
	if (fails && whole->n == 0)
		read_header(q, a, whole);
	r->original_is_full = full && !fails; /* a report without it is better than none */
	if (!r->original_is_full)
		whole->n = header_octets(buf_str(whole));
	r->original = buf_str(whole);
	r->original_is_lost = fails && whole->n == 0;
	return err;
}
