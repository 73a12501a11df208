/*
 * XFORWARD (Postfix's XFORWARD_README): a client of smtpd_authorized_xforward_hosts, a filter or another server of ours,
 * says from whom it has the next message. That goes into the log and the envelope; what is allowed still depends on the
 * client itself.
 */
#include "smtpd/smtpd.h"

#include <stdlib.h>

bool may_xforward(const struct session *s)
{
	return !s->service->is_local && (s->may_xforward || client_is_listed(s, s->service->xforward_hosts));
}

void forward_drop(struct session *s)
{
	if (s->forward == NULL)
		return;
	arena_free(&s->forward->mem);
	free(s->forward);
	s->forward = NULL;
}

static struct forward *forward_of(struct session *s)
{
	struct forward *f = s->forward;

	if (f)
		return f;
	f = xcalloc(1, sizeof *f);
	f->mem = arena_new(512);
	f->name = f->addr = f->proto = STR("unknown");
	f->helo = f->ident = f->port = STR("");
	s->forward = f;
	return f;
}

/* It stands in log lines between < >, [ ] and commas. */
static struct str harmless(struct arena *mem, struct str value)
{
	struct str copy = arena_dup(mem, value);
	char *p = (char *)(uintptr_t)copy.p;

	for (size_t i = 0; i < copy.n; i++)
		if ((unsigned char)p[i] < 33 || p[i] == 127 || strchr("<>()[]\\\";,@", p[i]))
			p[i] = '?';
	return copy;
}

static void take(struct forward *f, const struct smtp_attributes *a)
{
	const struct {
		enum smtp_attribute what;
		struct str *to;
		struct str unknown;
	} fields[] = { { ATTR_NAME, &f->name, STR("unknown") }, { ATTR_ADDR, &f->addr, STR("unknown") },
		{ ATTR_PORT, &f->port, STR("") }, { ATTR_PROTO, &f->proto, STR("unknown") },
		{ ATTR_HELO, &f->helo, STR("") }, { ATTR_IDENT, &f->ident, STR("") } };

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		struct str value = a->value[fields[i].what];

		if (fields[i].what == ATTR_ADDR && str_has_iprefix(value, STR("IPV6:")))
			value = str_from(value, STR("IPV6:").n);
		if (a->given & ATTR_BIT(fields[i].what))
			*fields[i].to = value.n ? harmless(f->mem, value) : fields[i].unknown;
	}
	if (a->given & ATTR_BIT(ATTR_SOURCE)) {
		f->is_local = str_ieq(a->value[ATTR_SOURCE], STR("LOCAL"));
		f->is_remote = str_ieq(a->value[ATTR_SOURCE], STR("REMOTE"));
	}
}

enum outcome do_xforward(struct session *s, struct str arg)
{
	struct arena *mem = arena_new(512);
	struct smtp_attributes a;
	struct str bad;
	int r;

	if (!may_xforward(s)) {
		reply(s, REPLY_NOT_AUTHORIZED);
	} else if ((r = smtp_attributes_parse(arg, XFORWARD_ATTRIBUTES, mem, &a, &bad)) == -1) {
		replyf(s, 501, "5.5.4", "Syntax: XFORWARD attribute=value...");
	} else if (r != 0) {
		replyf(s, 501, "5.5.4", "Bad XFORWARD attribute: %.*s", STR_ARG(bad));
	} else {
		take(forward_of(s), &a);
		reply(s, REPLY_OK);
	}
	arena_free(&mem);
	return R_DONE;
}
