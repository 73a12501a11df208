#include "smtp/client_own.h"

#include "log/spool_reader.h"
#include "smtp/esmtp.h"

/*
 * Content by BDAT (RFC 3030), which binary content needs. One chunk is under way at a time: its reply says whether the next
 * one is wanted.
 */

enum { CHUNK_OCTETS = 256 * 1024 };

int client_chunk_fill(struct smtp_client *c)
{
	struct buf chunk = BUF_INIT(CHUNK_OCTETS);
	ssize_t n = 1;
	size_t room;

	while (n > 0 && (room = CHUNK_OCTETS - chunk.n) > 0) {
		char *p = buf_reserve(&chunk, room);

		n = client_body_read(c, p, room);
		if (n > 0)
			buf_commit(&chunk, dot_unstuff(p, (size_t)n, &c->chunk_line_start));
	}
	if (n >= 0) {
		buf_addf(&c->out, "BDAT %zu%s\r\n", chunk.n, n == 0 ? " LAST" : "");
		buf_add_str(&c->out, buf_str(&chunk));
		c->body_ended = n == 0;
		c->chunk_open = !c->body_ended;
	}
	buf_free(&chunk);
	return n < 0 ? client_unreadable(c) : 0;
}
