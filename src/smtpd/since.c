/*
 * Is the mailbox still the person's that the sender knew (RFC 7293)? smtpd_rrvs_maps says since when it is whose it is now.
 * Recipients elsewhere take their RRVS along, for their own server to judge.
 */
#include "smtpd/smtpd.h"
#include "smtp/datetime.h"

static bool is_of_ours(const struct map_request *m)
{
	return m->class != CLASS_DEFAULT && m->class != CLASS_RELAY;
}

/* Accounts of an organisation (RFC 2142), which have no owner that changes: RFC 7293 sec. 5.1. */
static bool is_role(struct str address)
{
	static const char *const names[] = { "info", "marketing", "sales", "support", "abuse", "noc", "security",
		"postmaster", "hostmaster", "usenet", "news", "webmaster", "www", "uucp", "ftp" };
	ptrdiff_t at = str_rchr(address, '@');
	struct str local = at < 0 ? address : str_sub(address, 0, (size_t)at);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_ieq(local, str_c(names[i])))
			return true;
	return false;
}

bool since_is_asked(const struct session *s)
{
	return s->tx->rcpt_params.valid_since > 0 && is_of_ours(&s->tx->rcpt_answer);
}

static enum outcome end(struct session *s, bool taken)
{
	return s->tx->after_since(s, taken);
}

/* "1700000000" or "2023-11-14T22:13:20Z" */
static bool read_time(struct str value, uint64_t *time)
{
	int64_t seconds;

	value = str_trim(value);
	if (str_u64(value, time))
		return value.n > 0;
	if (datetime_parse(value, &seconds) < 0)
		return false;
	*time = (uint64_t)seconds;
	return true;
}

/* Is it refused? Then that is answered. */
static bool refuse(struct session *s)
{
	const struct map_request *m = &s->question->map;
	uint64_t time = 0;

	if (m->status == MAP_TEMPORARY) {
		log_warn("smtpd_rrvs_maps: %.*s", STR_ARG(m->why));
		reply_reject(s, 451, "4.3.0", "Temporary lookup failure", false);
	} else if (m->status != MAP_FOUND || !read_time(m->value, &time)) {
		reply_reject(s, 550, "5.7.19", "RRVS test cannot be completed", false); /* sec. 11.3 */
	} else if (time > s->tx->since) {
		reply_reject(s, 550, "5.7.17", "Mailbox owner has changed", false);
	} else {
		return false;
	}
	return true;
}

static void ask(struct session *s, enum outcome (*then)(struct session *s), struct str address, uint64_t since)
{
	s->tx->since = since;
	ask_map(question_new(s, ASK_MAP, then), str_c(s->service->rrvs_maps), address, MAP_ADDRESS);
}

static enum outcome rcpt_known(struct session *s)
{
	bool refused = refuse(s);

	question_end(s);
	s->tx->rcpt_params.valid_since = 0; /* its own server is this one */
	return end(s, !refused);
}

enum outcome since_check_rcpt(struct session *s, enum outcome (*then)(struct session *s, bool taken))
{
	s->tx->after_since = then;
	if (is_role(s->tx->rcpt_address)) {
		s->tx->rcpt_params.valid_since = 0;
		return end(s, true);
	}
	ask(s, rcpt_known, s->tx->rcpt_address, s->tx->rcpt_params.valid_since);
	return R_WAIT;
}

void since_note_rcpt(struct transaction *t)
{
	struct str *more;

	if (!is_of_ours(&t->rcpt_answer) || is_role(t->rcpt_address))
		return;
	if ((t->n_own_rcpt & (t->n_own_rcpt - 1)) == 0) { /* full: 0, 1, 2, 4 … */
		more = arena_array(t->mem, t->n_own_rcpt ? t->n_own_rcpt * 2 : 1, sizeof *more);
		if (t->n_own_rcpt)
			memcpy(more, t->own_rcpt, t->n_own_rcpt * sizeof *more);
		t->own_rcpt = more;
	}
	t->own_rcpt[t->n_own_rcpt++] = arena_dup(t->mem, t->rcpt_address);
}

/* "addr-spec ; date-time" (sec. 3.2) about one of our recipients. */
static bool is_about_ours(const struct transaction *t, struct str value, struct str *address, int64_t *since)
{
	ptrdiff_t semicolon = str_rchr(value, ';');

	if (semicolon < 0 || datetime_parse_mail(str_from(value, (size_t)semicolon + 1), since) < 0)
		return false;
	*address = str_trim(str_sub(value, 0, (size_t)semicolon));
	for (size_t i = 0; i < t->n_own_rcpt; i++)
		if (str_ieq(t->own_rcpt[i], *address))
			return true;
	return false;
}

static enum outcome next_field(struct session *s);

static enum outcome field_known(struct session *s)
{
	bool refused = refuse(s);

	question_end(s);
	return refused ? end(s, false) : next_field(s);
}

static enum outcome next_field(struct session *s)
{
	struct transaction *t = s->tx;
	struct str address;
	int64_t since;

	while ((t->since_field = fields_next(t, t->since_field, FIELD_VALID_SINCE)) != NULL)
		if (is_about_ours(t, t->since_field->value, &address, &since)) {
			ask(s, field_known, address, (uint64_t)since);
			return R_WAIT;
		}
	return end(s, true);
}

enum outcome since_check_fields(struct session *s, enum outcome (*then)(struct session *s, bool taken))
{
	s->tx->after_since = then;
	s->tx->since_field = NULL;
	return *s->service->rrvs_maps ? next_field(s) : then(s, true);
}
