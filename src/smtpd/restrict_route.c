/*
 * A recipient that nothing is ever delivered to: transport_maps, or the transport of its class, says error(8) or retry(8). It is
 * refused at RCPT, so that no report has to go to whoever the sender may be.
 */
#include "smtpd/restrict.h"

/* What an alias stands for goes its own way. */
static bool is_alias(const struct transaction *t)
{
	const struct map_request *a = &t->rcpt_answer;

	return a->n_expanded > 1 || (a->n_expanded == 1 && !str_eq(a->expanded[0], t->rcpt_address));
}

static enum verdict refuse_with(struct check *c, int code, const char *otherwise, struct str text)
{
	char enhanced[12];
	struct str rest = text;

	access_cut_status(&rest, code, enhanced, sizeof enhanced);
	return check_refuse(c, code, rest.p == text.p ? otherwise : enhanced, ABOUT_RCPT, "%.*s", STR_ARG(rest));
}

enum verdict check_route(struct check *c)
{
	struct session *s = c->session;
	const struct transaction *t = s->tx;
	const struct map_request *a;

	if (!s->service->routes_may_refuse || is_alias(t))
		return V_DUNNO;
	if (c->step == 0) {
		ask_route(question_new(s, ASK_MAP, check_resume), t->rcpt_address, t->sender);
		return V_WAIT;
	}
	a = &s->question->map;
	if (a->status == MAP_TEMPORARY)
		return check_refuse(c, 451, "4.3.0", ABOUT_RCPT, "Temporary lookup failure");
	if (str_eq(a->service, STR("error")))
		return refuse_with(c, 550, "5.1.1", a->nexthop);
	if (str_eq(a->service, STR("retry")))
		return refuse_with(c, 450, "4.1.1", a->nexthop);
	return V_DUNNO;
}

bool routes_may_refuse(const struct conf_view *v)
{
	static const char *const transports[] = { "local_transport", "virtual_transport", "relay_transport",
		"default_transport" };

	if (*conf_str(v, "transport_maps") || *conf_str(v, "sender_dependent_default_transport_maps"))
		return true;
	for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
		struct str value = str_trim(str_c(conf_str(v, transports[i])));

		if (str_has_prefix(value, STR("error")) || str_has_prefix(value, STR("retry")))
			return true;
	}
	return false;
}
