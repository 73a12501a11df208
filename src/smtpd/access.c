/* check_*_access: a table whose right side is an action (access(5)). */
#include "smtpd/restrict.h"

#include <stdio.h>

static enum about about_of(enum access_key key)
{
	static const enum about about[] = { ABOUT_CLIENT, ABOUT_HELO, ABOUT_SENDER, ABOUT_RCPT, ABOUT_STAGE };

	return about[key];
}

/* Ask for the key; V_DUNNO when there is nothing to ask for. */
static enum verdict ask(struct check *c, const struct restriction *r)
{
	struct session *s = c->session;
	struct str key;
	enum map_how how = MAP_ACCESS;

	switch ((enum access_key)r->kind->variant) {
	case KEY_CLIENT:
		key = arena_dup(c->mem, str_c(client_text(s)));
		how = MAP_CLIENT;
		break;
	case KEY_HELO:
		key = str_c(s->helo);
		how = MAP_DOMAIN;
		break;
	case KEY_ETRN:
		key = str_c(c->stage == STAGE_ETRN ? s->asked_name : NULL);
		how = MAP_DOMAIN;
		break;
	case KEY_SENDER:
		key = check_sender(c);
		if (key.n == 0 && s->tx)
			key = str_c(conf_str(s->service->view, "smtpd_null_access_lookup_key"));
		break;
	default:
		key = check_rcpt(c);
		break;
	}
	if (key.n == 0)
		return V_DUNNO;
	ask_map(question_new(s, ASK_MAP, check_resume), r->arg, key, how);
	return V_WAIT;
}

static bool is_number(struct str word)
{
	uint64_t n;

	return str_u64(word, &n);
}

bool access_cut_status(struct str *text, int code, char *enhanced, size_t size)
{
	struct str rest = *text, word;
	int a, b, d, end = 0;

	memcpy(enhanced, code >= 500 ? "5.7.1" : "4.7.1", sizeof "5.7.1");
	if (!str_word(&rest, " \t", &word) || word.n >= size)
		return false;
	snprintf(enhanced, size, "%.*s", STR_ARG(word));
	if (sscanf(enhanced, "%1d.%3d.%3d%n", &a, &b, &d, &end) == 3 && (size_t)end == word.n && a == code / 100) {
		*text = str_trim(rest);
		return true;
	}
	memcpy(enhanced, code >= 500 ? "5.7.1" : "4.7.1", sizeof "5.7.1");
	return false;
}

static enum verdict refuse(struct check *c, int code, struct str text, enum about about)
{
	char enhanced[12];

	access_cut_status(&text, code, enhanced, sizeof enhanced);
	if (text.n == 0)
		text = code >= 500 ? STR("Access denied") : STR("Try again later");
	return check_refuse(c, code, enhanced, about, "%.*s", STR_ARG(text));
}

enum verdict access_act(struct check *c, struct str action, struct str from, enum about about)
{
	struct str rest = action, word = { NULL, 0 };

	str_word(&rest, " \t", &word);
	rest = str_trim(rest);
	if (str_ieq(word, STR("OK")) || str_ieq(word, STR("RELAY")))
		return V_PERMIT;
	if (str_ieq(word, STR("DUNNO")))
		return V_DUNNO;
	if (str_ieq(word, STR("REJECT")))
		return refuse(c, (int)conf_int(c->session->service->view, "access_map_reject_code"), rest, about);
	if (str_ieq(word, STR("DEFER")))
		return refuse(c, (int)conf_int(c->session->service->view, "access_map_defer_code"), rest, about);
	if (str_ieq(word, STR("DEFER_IF_PERMIT"))) {
		check_defer_if_permit(
			c, 450, "4.7.1", about, rest.n ? arena_cdup(c->mem, rest) : "Service unavailable");
		return V_DUNNO;
	}
	if (str_ieq(word, STR("WARN")) || str_ieq(word, STR("INFO"))) {
		log_info("%s: %.*s: access %.*s from %s: %.*s",
			c->session->tx && *c->session->tx->id ? c->session->tx->id : "NOQUEUE", STR_ARG(word),
			STR_ARG(from), client_text(c->session), STR_ARG(rest));
		return V_DUNNO;
	}
	if (is_number(word) && word.n == 3 && (word.p[0] == '4' || word.p[0] == '5'))
		return refuse(c, (word.p[0] - '0') * 100 + (word.p[1] - '0') * 10 + word.p[2] - '0', rest, about);
	if (is_number(word) && rest.n == 0)
		return V_PERMIT; /* all numerical: as OK, for address maps of other programs */
	return check_enter(
		c, restrictions_parse(c->session->service->view, NULL, arena_cdup(c->mem, action), c->stage, c->mem));
}

enum verdict run_access(struct check *c, const struct restriction *r)
{
	struct session *s = c->session;
	const struct map_request *m;
	enum map_status status;

	if (s->question == NULL)
		return ask(c, r);
	m = &s->question->map;
	status = m->status;
	if (status == MAP_TEMPORARY)
		return check_refuse(
			c, 451, "4.3.0", about_of((enum access_key)r->kind->variant), "Temporary lookup failure");
	return status == MAP_FOUND ? access_act(c, arena_dup(c->mem, str_trim(m->value)), r->arg,
					     about_of((enum access_key)r->kind->variant))
				   : V_DUNNO;
}
