/* Restrictions by the certificate that a client has shown: its fingerprint is the key, then that of its public key. */
#include "smtpd/restrict.h"

/* MAP_FOUND, MAP_NOT_FOUND, MAP_TEMPORARY are there in the question when this returns false; true: an answer is awaited. */
static bool waits_for_answer(struct check *c, struct str tables)
{
	struct session *s = c->session;

	if (c->step == 0) {
		ask_map(question_new(s, ASK_MAP, check_resume), tables, str_c(s->cert->fingerprint), MAP_EXACT);
		return true;
	}
	if (c->step > 1 || s->question->map.status != MAP_NOT_FOUND)
		return false;
	question_end(s);
	ask_map(question_new(s, ASK_MAP, check_resume), tables, str_c(s->cert->key_fingerprint), MAP_EXACT);
	return true;
}

enum verdict run_cert_access(struct check *c, const struct restriction *r)
{
	const struct map_request *m;

	if (c->session->cert == NULL)
		return V_DUNNO;
	if (waits_for_answer(c, r->arg))
		return V_WAIT;
	m = &c->session->question->map;
	if (m->status == MAP_TEMPORARY)
		return check_refuse(c, 451, "4.3.0", ABOUT_CLIENT, "Temporary lookup failure");
	return m->status == MAP_FOUND ? access_act(c, arena_dup(c->mem, str_trim(m->value)), r->arg, ABOUT_CLIENT)
				      : V_DUNNO;
}

enum verdict run_relay_certs(struct check *c, const struct restriction *r)
{
	struct str tables = str_c(conf_str(c->session->service->view, "relay_clientcerts"));
	const struct map_request *m;

	(void)r;
	if (c->session->cert == NULL || tables.n == 0)
		return V_DUNNO;
	if (waits_for_answer(c, tables))
		return V_WAIT;
	m = &c->session->question->map;
	if (m->status == MAP_TEMPORARY) /* a permit that is lost for a moment must not become a refusal for good */
		return check_refuse(c, 451, "4.3.0", ABOUT_CLIENT, "Temporary lookup failure");
	return m->status == MAP_FOUND ? V_PERMIT : V_DUNNO;
}

enum verdict run_all_certs(struct check *c, const struct restriction *r)
{
	(void)r;
	return c->session->cert && c->session->cert->trusted ? V_PERMIT : V_DUNNO;
}
