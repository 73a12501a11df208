/* filter.c - which messages: by sender, recipient, site, reason, age, queue. */
#include "queued/control.h"

#include <fnmatch.h>
#include <stdlib.h>

static bool has_glob(struct str pattern)
{
	return str_chr(pattern, '*') >= 0 || str_chr(pattern, '?') >= 0 || str_chr(pattern, '[') >= 0;
}

static bool glob_fits(struct str pattern, struct str text)
{
	char *p = xstrndup(pattern), *t = xstrndup(text);
	bool fits = fnmatch(p, t, FNM_CASEFOLD) == 0;

	free(p);
	free(t);
	return fits;
}

/* A pattern may be a glob, and may be text that has its letters: "[192.0.2.1]", "is it you?". */
static bool text_fits(struct str pattern, struct str text)
{
	return str_ieq(pattern, text) || (has_glob(pattern) && glob_fits(pattern, text));
}

/* An address, "@domain", or a glob. */
static bool address_fits(struct str pattern, struct str address)
{
	if (pattern.n && pattern.p[0] == '@' && str_has_isuffix(address, pattern))
		return true;
	return text_fits(pattern, address);
}

static bool sender_fits(struct str pattern, struct str sender)
{
	if (sender.n == 0)
		return pattern.n == 0 || str_eq(pattern, STR("<>")) || address_fits(pattern, STR("MAILER-DAEMON"));
	return address_fits(pattern, sender);
}

/* A reason is a sentence: the pattern is a part of it, or a glob for all of it. */
static bool reason_fits(struct str pattern, struct str text)
{
	for (size_t i = 0; i + pattern.n <= text.n; i++)
		if (str_ieq(str_sub(text, i, pattern.n), pattern))
			return true;
	return has_glob(pattern) && glob_fits(pattern, text);
}

static bool take_queues(struct filter *f, struct str names)
{
	struct str word;

	while (str_word(&names, ",", &word)) {
		unsigned before = f->queues;

		for (enum queue_name n = 0; n < QUEUE_NAMES; n++)
			if (str_eq(word, str_c(queue_name_text(n))))
				f->queues |= 1u << n;
		if (f->queues == before)
			return false;
	}
	return f->queues != 0;
}

void filter_take_domain(struct filter *f, struct str domain)
{
	f->site = domain;
	f->site_key = domain_key(domain);
	f->site_is_glob = false;
}

static void take_site(struct filter *f, struct str pattern)
{
	filter_take_domain(f, pattern);
	f->site_is_glob = has_glob(pattern);
}

bool filter_take(struct filter *f, struct str word)
{
	ptrdiff_t equals = str_chr(word, '=');
	struct str name = str_sub(word, 0, equals < 0 ? 0 : (size_t)equals), value = str_from(word, (size_t)equals + 1);

	if (str_eq(name, STR("sender")))
		f->sender = value;
	else if (str_eq(name, STR("recipient")))
		f->recipient = value;
	else if (str_eq(name, STR("site")))
		take_site(f, value);
	else if (str_eq(name, STR("reason")))
		f->reason = value;
	else if (str_eq(name, STR("older")))
		return str_u64(value, &f->older_s);
	else if (str_eq(name, STR("queue")))
		return take_queues(f, value);
	else
		return false;
	return true;
}

static bool has_reason(struct message *m, struct str pattern)
{
	const struct rcpt_ref *refs = message_rcpts(m);

	for (uint32_t i = 0; i < m->n_rcpt; i++)
		if (refs[i].reason && reason_fits(pattern, reason_text(refs[i].reason)))
			return true;
	return false;
}

static bool has_domain(struct message *m, uint32_t key)
{
	const struct rcpt_ref *refs = message_rcpts(m);

	for (uint32_t i = 0; i < m->n_rcpt; i++)
		if (refs[i].domain == key)
			return true;
	return false;
}

bool filter_may_fit(const struct queued *q, const struct filter *f, struct message *m)
{
	uint64_t now = queue_now_us(q), age_us = now > m->arrival_us ? now - m->arrival_us : 0;

	if (f->queues && !(f->queues & (1u << queue_of(m))))
		return false;
	if (age_us / 1000000 < f->older_s)
		return false;
	if (f->site.p && !f->site_is_glob && !has_domain(m, f->site_key))
		return false;
	return f->reason.p == NULL || has_reason(m, f->reason);
}

bool filter_needs_envelope(const struct filter *f)
{
	return f->sender.p || f->recipient.p || f->site.p;
}

static bool site_fits(const struct filter *f, struct str address)
{
	struct str domain = address_domain(address);

	return f->site_is_glob ? text_fits(f->site, domain) : domain_is_same(f->site, domain);
}

/* Of the recipients only those count that are still open. */
bool filter_fits_envelope(const struct filter *f, struct message *m, const struct envelope *e)
{
	const struct rcpt_ref *refs = message_rcpts(m);
	bool recipient = f->recipient.p == NULL, site = f->site.p == NULL;
	uint32_t n = 0;

	if (f->sender.p && !sender_fits(f->sender, e->sender))
		return false;
	for (size_t i = 0; i < e->n_rcpt && n < m->n_rcpt && !(recipient && site); i++) {
		if (e->rcpt[i].index != refs[n].index)
			continue;
		n++;
		recipient = recipient || address_fits(f->recipient, e->rcpt[i].address);
		site = site || site_fits(f, e->rcpt[i].address);
	}
	return recipient && site;
}
