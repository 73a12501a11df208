#include "smtp/client_own.h"

#include "log/spool_reader.h"
#include "mime/convert.h"
#include "smtp/esmtp.h"

/* The content on its way out: converted where this server cannot take it as it is, and looked at once more. */

enum { LOOK_OCTETS = 16 * 1024, LOOK_AT_ONCE = 256 * 1024 /* before others have their turn */ };

static bool is_offered(const struct smtp_client *c, enum esmtp_ext e)
{
	return (c->offered & EXT_BIT(e)) != 0;
}

/* RFC 6531 sec. 3.2: UTF-8 may stand in the header of any part. The header of the whole has none: client_need.c. */
static bool must_have_ascii_headers(const struct smtp_client *c, const struct client_message *m)
{
	return (m->flags & ENV_SMTPUTF8) && !is_offered(c, EXT_SMTPUTF8) && !c->options.no_conversion;
}

/* RFC 3030 sec. 3: it is binary content, which goes by BDAT only, and may be that to this server. */
static bool goes_as_binary(const struct smtp_client *c, const struct client_message *m)
{
	return (m->flags & ENV_BINARY) && is_offered(c, EXT_BINARYMIME) && is_offered(c, EXT_CHUNKING) &&
	       !must_have_ascii_headers(c, m);
}

/*
 * RFC 6152 sec. 2. Who offers BINARYMIME or SMTPUTF8 has to take 8 bits (RFC 3030 sec. 3, RFC 6531 sec. 3.1); a message
 * that needs SMTPUTF8 may have no other way.
 */
static bool takes_8bit(const struct smtp_client *c, const struct client_message *m)
{
	return is_offered(c, EXT_8BITMIME) || is_offered(c, EXT_BINARYMIME) || c->options.no_conversion ||
	       (is_offered(c, EXT_SMTPUTF8) && (m->flags & ENV_SMTPUTF8));
}

/* May there be something in the content that this server cannot take? The flags do not know what only looks so. */
static bool must_be_looked_at(const struct smtp_client *c, const struct client_message *m)
{
	if (m->flags & ENV_LONG_LINE) /* the header of binary content is lines all the same */
		return true;
	if (m->flags & ENV_BINARY)
		return !goes_as_binary(c, m);
	return (m->flags & ENV_8BIT) && (!takes_8bit(c, m) || must_have_ascii_headers(c, m));
}

static enum mime_target target_for(const struct smtp_client *c, const struct client_message *m)
{
	if (goes_as_binary(c, m))
		return MIME_TO_BINARY;
	if (!takes_8bit(c, m))
		return MIME_TO_7BIT;
	return must_have_ascii_headers(c, m) ? MIME_TO_8BIT_BODIES : MIME_TO_8BIT;
}

uint32_t client_body_flags(const struct smtp_client *c, const struct client_message *m)
{
	if (!(m->flags & ENV_BINARY) || goes_as_binary(c, m))
		return m->flags;
	return (m->flags & ~(uint32_t)ENV_BINARY) | ENV_8BIT;
}

static void end_conversion(struct smtp_client *c)
{
	mime_convert_free(&c->convert);
	buf_free(&c->converted);
}

void client_body_end(struct smtp_client *c)
{
	end_conversion(c);
	c->looking = false;
	c->check = (struct wire_check){ .line = 0 };
	c->read_ended = false;
}

static bool has_open(const struct client_message *m)
{
	for (size_t i = 0; i < m->n_rcpt; i++)
		if (m->rcpt[i].outcome == CLIENT_OPEN)
			return true;
	return false;
}

bool client_body_begin(struct smtp_client *c, struct client_message *m)
{
	unsigned depth = c->options.mime_depth;

	client_body_end(c);
	if (!must_be_looked_at(c, m) || !has_open(m))
		return false;
	c->convert = mime_convert_new(target_for(c, m), m->flags & ENV_REPORT);
	if (depth)
		mime_convert_depth(c->convert, depth < MIME_DEPTH_LIMIT ? depth : MIME_DEPTH_LIMIT);
	c->converted = BUF_INIT(SIZE_MAX / 4);
	c->looking = c->at_line_start = true;
	m->rewind(m);
	return true;
}

/* The first of two readings is over; n < 0: it cannot be read. */
static void end_look(struct smtp_client *c, ssize_t n)
{
	struct client_message *m = c->message;
	struct mime_refusal why = { .dsn = NULL };
	enum mime_answer answer = MIME_UNCHANGED;

	c->looking = false;
	m->rewind(m);
	if (n < 0)
		client_settle_all_own(m, CLIENT_DEFERRED, "4.3.0", "the message cannot be read from the queue");
	else
		answer = mime_convert_answer(c->convert, &why);
	if (answer == MIME_REFUSED)
		client_settle_all_own(m, CLIENT_BOUNCED, why.dsn,
			arena_printf(m->mem, "the message would have to be converted for this server: %s", why.text));
	if (answer != MIME_CHANGED)
		end_conversion(c);
}

bool client_body_look(struct smtp_client *c)
{
	struct client_message *m = c->message;
	char piece[LOOK_OCTETS];
	size_t seen = 0;
	ssize_t n;

	while ((n = m->read(m, piece, sizeof piece)) > 0) {
		mime_convert_look(c->convert, str_pn(piece, dot_unstuff(piece, (size_t)n, &c->at_line_start)));
		seen += (size_t)n;
		if (seen >= LOOK_AT_ONCE)
			return false;
	}
	end_look(c, n);
	return true;
}

/* Octets that the conversion has ready, into p. */
static size_t take_converted(struct smtp_client *c, void *p, size_t n)
{
	if (n > c->converted.n)
		n = c->converted.n;
	memcpy(p, c->converted.p, n);
	buf_consume(&c->converted, n);
	return n;
}

static ssize_t read_converted(struct smtp_client *c, void *p, size_t n)
{
	struct client_message *m = c->message;
	char piece[LOOK_OCTETS];

	while (c->converted.n == 0 && !c->read_ended) {
		ssize_t got = m->read(m, piece, sizeof piece);

		if (got < 0)
			return got;
		c->read_ended = got == 0;
		if (got > 0)
			mime_convert_put(c->convert, str_pn(piece, dot_unstuff(piece, (size_t)got, &c->at_line_start)),
				&c->converted);
		else
			mime_convert_finish(c->convert, &c->converted);
	}
	return c->converted.n > 0 ? (ssize_t)take_converted(c, p, n) : 0;
}

ssize_t client_body_read(struct smtp_client *c, void *p, size_t n)
{
	struct client_message *m = c->message;
	ssize_t got = c->convert ? read_converted(c, p, n) : m->read(m, p, n);

	if (got < 0 || c->in_chunks ||
		(got > 0 ? wire_check(&c->check, str_pn(p, (size_t)got)) : wire_check_end(&c->check)))
		return got;
	client_settle_all_own(m, CLIENT_BOUNCED, "5.6.0",
		"the content has a bare CR or LF or a line over 998 octets, and cannot be sent so");
	return -1;
}
