/* check_auth.c - why nobody could log in, before somebody tries. */
#include "auth/mech_policy.h"
#include "ctl/below_queue.h"
#include "ctl/check.h"
#include "ctl/gatepost.h"
#include "tls/tls.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Lines of an answer, to those of the check. Returns their number. */
static unsigned add_lines(struct buf *to, const char *where, const struct buf *lines)
{
	struct str rest = buf_str(lines), line;
	unsigned n = 0;

	for (; str_word(&rest, "\n", &line); n++)
		buf_addf(to, "%s%s%.*s\n", where, *where ? ": " : "", STR_ARG(line));
	return n;
}

static bool has_authd(const struct conf_view *v)
{
	const char *file = conf_str(v, "auth_conf_file");

	return *file && access(file, F_OK) == 0;
}

static bool wants_logins(const struct conf_service *s)
{
	return strcmp(s->type, "inet") == 0 && strcmp(s->command, "smtpd") == 0 &&
	       conf_bool(s->view, "smtpd_sasl_auth_enable");
}

/* Does authd listen where smtpd looks? */
static bool is_listened_at(const struct checked *c, const struct auth_offers *o)
{
	struct str path = sasl_path_below_queue(c->view);

	if (str_has_prefix(path, STR("inet:")))
		return true; /* its own file may say more */
	return below_queue_is_in(c->main, path, o->listener, o->n_listener);
}

static void check_policy(const struct checked *c, const struct auth_offers *o)
{
	bool has_tls = tls_server_is_wanted(c->view);
	bool must = conf_bool(c->view, "smtpd_tls_wrappermode") || conf_bool(c->view, "smtpd_enforce_tls") ||
		    strcmp(conf_str(c->view, "smtpd_tls_security_level"), "encrypt") == 0;
	struct mech_session s = { .in_clear = !must && !conf_bool(c->view, "smtpd_tls_auth_only"),
		.under_tls = has_tls,
		.asks_cert = conf_bool(c->view, "smtpd_tls_ask_ccert") ||
			     (must && conf_bool(c->view, "smtpd_tls_req_ccert")),
		.options = conf_str(c->view, "smtpd_sasl_security_options"),
		.tls_options = conf_str(c->view, "smtpd_sasl_tls_security_options") };
	struct buf fault = BUF_INIT(4096);

	/* Services that share main.cf share the fault. */
	if (mech_policy_fault(&s, conf_str(c->view, "smtpd_sasl_path"), o->mech, o->n_mech, &fault) &&
		(c->warnings->n == 0 || strstr(c->warnings->p, fault.p) == NULL))
		buf_addf(c->warnings, "%s: %s\n", c->where, fault.p);
	buf_free(&fault);
}

/* Each socket is looked at once, at the first service that uses it. */
static bool is_first(const struct conf *conf, const struct conf_service *s)
{
	const struct conf_service *other;
	size_t n = conf_services(conf, &other);

	for (size_t i = 0; i < n && &other[i] != s; i++)
		if (wants_logins(&other[i]) &&
			strcmp(conf_str(other[i].view, "smtpd_sasl_path"), conf_str(s->view, "smtpd_sasl_path")) == 0)
			return false;
	return true;
}

/* Does it run, and may we look? Whom master does not answer would see its sockets closed, and take them for faults. */
static bool answers_us(const struct conf *conf)
{
	struct buf answer = BUF_INIT(1 << 22);
	bool answers = ctl_ask_master(conf, "status", &answer) == 0;

	buf_free(&answer);
	return answers;
}

/* A socket that its name gives to look-ups: a listener of that name would be no other. */
static bool is_for_lookups(struct str path)
{
	return str_has_suffix(path, STR("-userdb")) || str_has_suffix(path, STR("-master"));
}

/* Where to look instead: the first socket for clients that authd has. */
static struct str listens_at(const struct checked *c, const struct auth_offers *o)
{
	return o->n_listener ? below_queue(c->main, o->listener[0]) : STR("private/auth");
}

static void say_unheard(const struct checked *c, const struct auth_offers *own)
{
	struct str path = str_c(conf_str(c->view, "smtpd_sasl_path")), other = listens_at(c, own);
	const char *file = conf_str(c->main, "auth_conf_file");

	if (is_for_lookups(path))
		buf_addf(c->warnings,
			"%s: smtpd_sasl_path = %.*s is a socket for look-ups, so nobody can log in; set "
			"smtpd_sasl_path = %.*s, and let authd listen there (unix_listener in service auth of %s)\n",
			c->where, STR_ARG(path), STR_ARG(other), file);
	else if (geteuid() == 0 && sasl_path_below_queue(c->view).p[0] == '/')
		buf_addf(c->warnings,
			"%s: smtpd_sasl_path = %.*s is not below queue_directory = %s, which is all that smtpd sees of "
			"the file system, so nobody can log in; set smtpd_sasl_path = %.*s, and let authd listen there "
			"(unix_listener in service auth of %s)\n",
			c->where, STR_ARG(path), conf_str(c->main, "queue_directory"), STR_ARG(other), file);
	else
		buf_addf(c->warnings,
			"%s: authd does not listen at smtpd_sasl_path = %.*s, so nobody can log in; add "
			"\"unix_listener %.*s { mode = 0660 }\" to service auth of %s, or set smtpd_sasl_path = "
			"%.*s\n",
			c->where, STR_ARG(path), STR_ARG(path), file, STR_ARG(other));
}

/* authd does not listen there; somebody else may. */
static void check_other(const struct checked *c, const struct auth_offers *own, bool asks)
{
	struct auth_offers asked;
	bool is_there = false;

	if (asks) {
		auth_offers_ask(&asked, c->view);
		is_there = asked.faults.n == 0;
		if (is_there)
			check_policy(c, &asked);
		auth_offers_free(&asked);
	}
	if (!is_there)
		say_unheard(c, own);
}

/* `own`: what auth.conf offers, NULL without authd. */
static void check_logins(const struct checked *c, const struct conf *conf, const struct auth_offers *own, bool asks)
{
	struct auth_offers asked;
	bool first = is_first(conf, c->service);

	if (own && !is_listened_at(c, own)) {
		if (first)
			check_other(c, own, asks);
		return;
	}
	if (own)
		check_policy(c, own);
	if (!asks || (own && (!first || !answers_us(conf))))
		return;
	auth_offers_ask(&asked, c->view);
	if (first)
		add_lines(c->warnings, c->where, &asked.faults);
	if (own == NULL && asked.faults.n == 0)
		check_policy(c, &asked);
	auth_offers_free(&asked);
}

/* Without a port there is no mapd either, and authd alone is meant to run. */
static bool serves(const struct conf *conf)
{
	const struct conf_service *s;
	size_t n = conf_services(conf, &s);

	for (size_t i = 0; i < n; i++)
		if (strcmp(s[i].type, "inet") == 0 && strcmp(s[i].command, "smtpd") == 0)
			return true;
	return false;
}

unsigned check_auth(const struct checked *whole, const struct conf *conf, bool asks)
{
	bool own = has_authd(whole->main);
	struct checked c = *whole;
	struct auth_offers offers;
	unsigned faults = 0;
	size_t n = conf_services(conf, &c.service);
	const struct conf_service *list = c.service;

	if (own) {
		auth_offers_read(&offers, whole->main);
		faults = add_lines(whole->lines, "", &offers.faults);
		add_lines(whole->warnings, "", &offers.warnings);
	}
	for (size_t i = 0; faults == 0 && i < n; i++) {
		char where[8192];

		if (!wants_logins(&list[i]))
			continue;
		snprintf(where, sizeof where, "%s/master.cf, line %u: service %s", conf_dir(conf), list[i].line,
			list[i].name);
		c.where = where;
		c.service = &list[i];
		c.view = list[i].view;
		check_logins(&c, conf, own ? &offers : NULL, asks);
	}
	if (faults == 0 && serves(conf))
		check_userdb(whole, own ? &offers : NULL, asks && (!own || answers_us(conf)));
	if (own)
		auth_offers_free(&offers);
	return faults;
}
