/*
 * A recipient that nothing is ever delivered to: transport_maps, or the transport of its class, says error(8) or retry(8). It is
 * refused at RCPT, so that no report has to go to whoever the sender may be.
 */
#include "smtpd/restrict.h"
#include "base/log.h"

/* What an alias stands for goes its own way. */
static bool is_alias(const struct transaction *t)
{
	const struct map_request *a = &t->rcpt_answer;

	return a->n_expanded > 1 || (a->n_expanded == 1 && !str_eq(a->expanded[0], t->rcpt_address));
}

static enum verdict refuse_with(struct check *c, int code, const char *otherwise, struct str text)
{
	char enhanced[12];
	bool has_own = access_cut_status(&text, code, enhanced, sizeof enhanced);

	return check_refuse(c, code, has_own ? enhanced : otherwise, ABOUT_RCPT, "%.*s", STR_ARG(text));
}

enum verdict check_route(struct check *c)
{
	struct session *s = c->session;
	struct transaction *t = s->tx;
	const struct map_request *a;
	struct str command;

	if (!s->service->routes_may_refuse || t->route_is_good || is_alias(t))
		return V_DUNNO;
	if (c->step == 0) {
		ask_route(question_new(s, ASK_MAP, check_resume), t->rcpt_address, t->sender);
		return V_WAIT;
	}
	a = &s->question->map;
	if (a->status == MAP_TEMPORARY) {
		log_warn("%s: cannot look up the transport of <%.*s>: %.*s", client_text(s), STR_ARG(t->rcpt_address),
			STR_ARG(a->why));
		return check_refuse(c, 451, "4.3.0", ABOUT_RCPT, "Temporary lookup failure");
	}
	command = conf_transport_command(smtpd.child.conf, a->service);
	if (str_eq(command, STR("error")))
		return refuse_with(c, 550, "5.1.1", a->nexthop);
	if (str_eq(command, STR("retry")))
		return refuse_with(c, 450, "4.1.1", a->nexthop);
	t->route_is_good = true;
	return V_DUNNO;
}

bool routes_may_refuse(const struct conf_view *v)
{
	struct str transport, command;
	static const char *const transports[] = { "local_transport", "virtual_transport", "relay_transport",
		"default_transport" };

	if (*conf_str(v, "transport_maps") || *conf_str(v, "sender_dependent_default_transport_maps"))
		return true;
	for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
		struct str value = str_trim(str_c(conf_str(v, transports[i])));

		if (!str_field(&value, ":", &transport))
			continue;
		command = conf_transport_command(smtpd.child.conf, str_trim(transport));
		if (str_eq(command, STR("error")) || str_eq(command, STR("retry")))
			return true;
	}
	return false;
}
