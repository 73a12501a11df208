/* cat.c - one message: its envelope as a line of JSON, then its content, read from the log as the client takes it. */
#include "queued/control.h"
#include "base/log.h"

enum { PIECE_OCTETS = 128 * 1024 };

static void put_member(struct buf *out, const char *name, struct str value)
{
	buf_addf(out, "%s\"%s\": ", out->p[out->n - 1] == '{' ? "" : ", ", name);
	put_json(out, value);
}

static void put_rcpt(struct buf *out, struct message *m, const struct envelope_rcpt *r)
{
	const struct rcpt_ref *refs = message_rcpts(m);
	bool done = true;

	for (uint32_t i = 0; i < m->n_rcpt && done; i++)
		done = refs[i].index != r->index;
	buf_add_char(out, '{');
	put_member(out, "address", r->address);
	put_member(out, "original", r->original);
	put_member(out, "orcpt", r->orcpt);
	buf_addf(out, ", \"notify\": %u, \"done\": %s}", r->notify, done ? "true" : "false");
}

static void put_envelope(struct client *c, struct message *m, const struct envelope *e)
{
	struct buf *out = &c->out;

	buf_addf(out, "{\"queue_name\": \"%s\", \"arrival_us\": %llu, \"size\": %llu, \"octets\": %llu",
		queue_name_text(queue_of(m)), (unsigned long long)e->arrival_us, (unsigned long long)e->size,
		(unsigned long long)extents_octets(e));
	put_member(out, "sender", e->sender);
	buf_add_c(out, ", \"attributes\": {");
	put_member(out, "client_name", e->client_name);
	put_member(out, "client_address", e->client_addr);
	put_member(out, "protocol_name", e->proto);
	put_member(out, "helo_name", e->helo);
	put_member(out, "sasl_method", e->sasl_method);
	put_member(out, "sasl_username", e->sasl_username);
	put_member(out, "envelope_id", e->envid);
	buf_add_c(out, "}, \"recipients\": [");
	for (size_t i = 0; i < e->n_rcpt; i++) {
		buf_add_c(out, i ? ", " : "");
		put_rcpt(out, m, &e->rcpt[i]);
	}
	buf_add_c(out, "]}\n");
}

bool cat_begin(struct client *c, const struct message *m)
{
	int err;

	c->mem = arena_new(4096);
	err = message_envelope(c->q, m, c->mem, &c->env);
	if (err != 0) {
		log_warn("postcat: %s", strerror(-err));
		return false;
	}
	put_envelope(c, message_find(c->q, m->id), &c->env);
	return true;
}

/* The message may end, and its segment be used again, while it is read: then the content ends early. */
bool cat_more(struct client *c)
{
	while (c->out.n < OUT_OCTETS && c->extent < c->env.n_extent) {
		const struct extent *x = &c->env.extent[c->extent];
		struct segment *s = segment_find(c->q, x->generation);
		uint32_t left = x->octets - c->extent_at, n = left < PIECE_OCTETS ? left : PIECE_OCTETS;
		char *p = buf_reserve(&c->out, n);

		if (s == NULL || p == NULL || pread_all(s->fd, p, n, x->offset + c->extent_at) != 0)
			return false;
		buf_commit(&c->out, n);
		c->extent_at += n;
		if (c->extent_at == x->octets) {
			c->extent++;
			c->extent_at = 0;
		}
	}
	return c->extent < c->env.n_extent;
}
