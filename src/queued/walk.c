/* walk.c - list messages, change messages: all that fit, a part at a time. */
#include "queued/control.h"

enum { PROGRESS_MS = 250, LOOK_AT_CLOCK = 16 };

/* The keys are postqueue(1)'s; "reason" is without the text's status code, as there. */
static void list_one(struct client *c, struct message *m, const struct envelope *e)
{
	const struct rcpt_ref *refs = message_rcpts(m);
	char id[ENVELOPE_ID_TEXT];
	uint32_t n = 0;

	buf_addf(&c->out,
		"{\"queue_name\": \"%s\", \"queue_id\": \"%s\", \"arrival_time\": %llu, \"message_size\": %llu, "
		"\"forced_expire\": %s, \"sender\": ",
		queue_name_text(queue_of(m)), envelope_id_text(m->id, id),
		(unsigned long long)(e->arrival_us / 1000000), (unsigned long long)e->size,
		m->flags & MF_EXPIRE ? "true" : "false");
	put_json(&c->out, e->sender.n ? e->sender : STR("MAILER-DAEMON"));
	buf_add_c(&c->out, ", \"recipients\": [");
	for (size_t i = 0; i < e->n_rcpt && n < m->n_rcpt; i++) {
		if (e->rcpt[i].index != refs[n].index)
			continue;
		buf_add_c(&c->out, n ? ", {\"address\": " : "{\"address\": ");
		put_json(&c->out, e->rcpt[i].address);
		if (refs[n].reason) {
			buf_add_c(&c->out, ", \"delay_reason\": ");
			put_json(&c->out, reason_text(refs[n].reason));
		}
		buf_add_char(&c->out, '}');
		n++;
	}
	buf_add_c(&c->out, "]}\n");
}

void walk_visit(struct client *c, struct message *m)
{
	struct envelope e;
	struct arena *mem;
	bool fits = filter_may_fit(c->q, &c->filter, m);

	if (!fits || (c->change && !filter_needs_envelope(&c->filter))) {
		c->changed += fits && c->change(c->q, m);
		return;
	}
	mem = arena_new(2048);
	if (message_envelope(c->q, m, mem, &e) == 0 && filter_fits_envelope(&c->filter, m, &e)) {
		if (c->change)
			c->changed += c->change(c->q, m);
		else
			list_one(c, m, &e);
	}
	arena_free(&mem);
}

/* False: all of them have been visited. */
static bool walk(struct client *c)
{
	uint64_t until = client_until(c);

	for (unsigned n = 1; c->out.n < OUT_OCTETS; n++) {
		struct message *m = message_walk(c->q, &c->at);

		if (m == NULL)
			return false;
		c->seen++;
		walk_visit(c, m);
		if (n % LOOK_AT_CLOCK == 0 && uv_hrtime() > until)
			break;
	}
	return true;
}

/* An empty line says that it was all: a connection ends when queued does, too. */
bool walk_list(struct client *c)
{
	bool more = walk(c);

	if (!more)
		buf_add_char(&c->out, '\n');
	return more;
}

bool walk_change(struct client *c)
{
	uint64_t now = uv_now(c->q->child.loop);
	bool more = walk(c);

	take_wake(c->q);
	if (!more)
		buf_addf(&c->out, "{\"count\": %zu}\n", c->changed);
	else if (c->progress && now - c->told_ms >= PROGRESS_MS) {
		buf_addf(&c->out, "{\"progress\": %zu, \"seen\": %zu, \"of\": %zu}\n", c->changed, c->seen, c->of);
		c->told_ms = now;
	}
	return more;
}
