/*
 * fuzz_smtp_client.c - the client engine against any octets of a server. The first octet picks the options and how the
 * rest is cut into pieces; no recipient may be delivered before the final dot was written.
 */
#include "base/log.h"
#include "log/envelope.h"
#include "smtp/client.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ssize_t read_body(struct client_message *m, void *p, size_t n)
{
	static const char body[] = "Subject: x\r\n\r\nbody\r\n";

	if (m->size == 0)
		return 0;
	require(n >= sizeof body - 1);
	memcpy(p, body, sizeof body - 1);
	m->size = 0;
	return (ssize_t)sizeof body - 1;
}

static void rewind_body(struct client_message *m)
{
	m->size = 20;
}

/* Everything the engine wants to say is taken. Returns whether the end of a message was in it. */
static bool take_output(struct smtp_client *c)
{
	bool dot = false;
	struct str octets;

	while (smtp_client_output(c, &octets) == 1) {
		dot |= str_has_suffix(octets, STR("\r\n.\r\n"));
		smtp_client_wrote(c, octets.n);
	}
	return dot;
}

static void check_outcomes(const struct client_message *m, bool dot)
{
	for (size_t i = 0; i < m->n_rcpt; i++) {
		require(m->rcpt[i].outcome != CLIENT_DELIVERED || dot);
		require(m->rcpt[i].outcome == CLIENT_OPEN || m->rcpt[i].text.n < 4096);
		for (size_t k = 0; k < m->rcpt[i].text.n; k++)
			require((unsigned char)m->rcpt[i].text.p[k] >= ' ');
	}
}

static enum client_event send_message(struct smtp_client *c, struct client_message *m)
{
	enum client_event event = smtp_client_send(c, m);

	while (smtp_client_is_looking(c))
		event = smtp_client_look(c);
	return event;
}

static enum client_event answer(struct smtp_client *c, struct client_message *m, enum client_event event)
{
	switch (event) {
	case CLIENT_STARTTLS:
		smtp_client_secured(c);
		return CLIENT_MORE;
	case CLIENT_LOGIN:
		smtp_client_auth(c, "LOGIN", str_pn(NULL, 0));
		return CLIENT_MORE;
	case CLIENT_CHALLENGE:
		smtp_client_auth_answer(c, STR("QUJD"));
		return CLIENT_MORE;
	case CLIENT_READY:
		m->size = 20;
		return send_message(c, m);
	case CLIENT_SENT:
		m->size = 20;
		return smtp_client_is_reusable(c) ? send_message(c, m) : CLIENT_ENDED;
	default:
		return event;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t flags = size ? data[0] : 0;
	struct client_options o = {
		.lmtp = flags & 1, .helo = "me", .tls = (enum client_tls)((flags >> 1) % 3), .login = flags & 8
	};
	struct client_rcpt rcpt[3] = { { .address = STR("a@x") }, { .address = STR("b@x") },
		{ .address = STR("c@x") } };
	struct client_message m = { .sender = STR("s@x"),
		.flags = ENV_8BIT,
		.rcpt = rcpt,
		.n_rcpt = 3,
		.read = read_body,
		.rewind = rewind_body };
	struct str rest = str_from(str_pn(data, size), 1);
	enum client_event event = CLIENT_MORE;
	size_t piece = flags & 16 ? 1 : (flags >> 5) * 40u + 7;
	struct smtp_client c;
	bool dot = false;

	m.mem = arena_new(0);
	smtp_client_init(&c, &o);
	for (int messages = 0; rest.n > 0 && event != CLIENT_FAILED && event != CLIENT_ENDED && messages < 50;) {
		event = smtp_client_input(&c, str_sub(rest, 0, piece));
		rest = str_from(rest, piece < rest.n ? piece : rest.n);
		while (event == CLIENT_SENT || event == CLIENT_READY || event == CLIENT_STARTTLS ||
			event == CLIENT_LOGIN || event == CLIENT_CHALLENGE) {
			if (event == CLIENT_SENT) {
				check_outcomes(&m, dot);
				dot = false;
				/* The last outcome stands until there is another message, which has no dot yet. */
				for (size_t i = 0; i < m.n_rcpt; i++)
					m.rcpt[i].outcome = CLIENT_OPEN;
				messages++;
			}
			event = answer(&c, &m, event);
			if (messages >= 50)
				break;
		}
		dot |= take_output(&c);
	}
	smtp_client_lost(&c);
	check_outcomes(&m, dot);
	smtp_client_quit(&c);
	take_output(&c);
	smtp_client_free(&c);
	arena_free(&m.mem);
	return 0;
}
