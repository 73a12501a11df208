/* control_text.c - what the answers of public/queue are written in: JSON, and the names of queues. */
#include "queued/control.h"
#include "base/utf8.h"

/* Of octets that are no UTF-8 (a reason that was cut) each is a question mark: else no reader takes the whole line. */
void put_json(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	while (s.n > 0) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = c < 0x80 ? 1 : utf8_sequence(s);

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < 32 || c == 127)
			buf_addf(out, "\\u%04x", c);
		else if (n == 0)
			buf_add_char(out, '?');
		else
			buf_add(out, s.p, n);
		s = str_from(s, n ? n : 1);
	}
	buf_add_char(out, '"');
}

enum queue_name queue_of(const struct message *m)
{
	switch ((enum message_state)m->state) {
	case MSG_ACTIVE:
		return QUEUE_ACTIVE;
	case MSG_HELD:
		return QUEUE_HOLD;
	case MSG_READY:
	case MSG_WAITING:
	case MSG_PARKED:
		break;
	}
	return m->flags & MF_FRESH ? QUEUE_INCOMING : QUEUE_DEFERRED;
}

const char *queue_name_text(enum queue_name n)
{
	static const char *const names[] = { "incoming", "active", "deferred", "hold" };

	return names[n];
}
