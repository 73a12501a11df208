/* Restrictions about who may use a sender address, and about domains that do not exist. */
#include "smtpd/restrict.h"

static bool is_owner(struct str owners, const char *user)
{
	struct str word;

	while (str_word(&owners, ", \t\r\n", &word))
		if (str_ieq(word, str_c(user)))
			return true;
	return false;
}

/* What smtpd_sender_login_maps says of the sender: an empty list when the address is nobody's. */
static enum verdict judge_owner(struct check *c, enum login_variant variant, struct str owners)
{
	const char *user = c->session->sasl_username;

	if (variant == LOGIN_KNOWN && owners.n == 0)
		return V_DUNNO;
	if (user == NULL && variant != LOGIN_AUTHENTICATED && owners.n)
		return check_refuse(c, 553, "5.7.1", ABOUT_SENDER, "not logged in");
	if (user && variant != LOGIN_UNAUTHENTICATED && !is_owner(owners, user))
		return check_refuse(c, 553, "5.7.1", ABOUT_SENDER, "not owned by user %s", user);
	return V_DUNNO;
}

enum verdict run_login_mismatch(struct check *c, const struct restriction *r)
{
	enum login_variant variant = (enum login_variant)r->kind->variant;
	struct session *s = c->session;
	const char *maps = s->service->sender_login_maps;
	const struct map_request *m;

	if (c->step == 0) {
		if (variant == LOGIN_AUTHENTICATED && s->sasl_username == NULL)
			return V_DUNNO;
		if (*maps == '\0' || check_sender(c).n == 0)
			return judge_owner(c, variant, STR(""));
		ask_map(question_new(s, ASK_MAP, check_resume), str_c(maps), check_sender(c), MAP_ADDRESS);
		return V_WAIT;
	}
	m = &s->question->map;
	if (m->status == MAP_TEMPORARY)
		return check_refuse(c, 451, "4.3.0", ABOUT_SENDER, "Temporary lookup failure");
	return judge_owner(c, variant, m->status == MAP_FOUND ? arena_dup(c->mem, m->value) : STR(""));
}

/* The domain that the restriction is about, without brackets; "" when there is none to ask for. */
static struct str domain_at(const struct check *c, enum about about)
{
	struct str name = about == ABOUT_HELO	  ? str_c(c->session->helo)
			  : about == ABOUT_SENDER ? check_sender(c)
						  : check_rcpt(c);
	ptrdiff_t at = str_rchr(name, '@');

	if (about != ABOUT_HELO)
		name = at < 0 ? STR("") : str_from(name, (size_t)at + 1);
	return name.n && name.p[0] == '[' ? STR("") : name;
}

static enum verdict unknown(struct check *c, enum about about)
{
	if (about == ABOUT_HELO)
		return check_refuse(c, 450, "4.7.1", about, "Host not found");
	return check_refuse(c, 450, about == ABOUT_SENDER ? "4.1.8" : "4.1.2", about, "Domain not found");
}

/* First the MX records, then the addresses (RFC 5321 sec. 5.1); a name server that is silent only defers. */
enum verdict run_unknown_domain(struct check *c, const struct restriction *r)
{
	enum about about = (enum about)r->kind->variant;
	struct session *s = c->session;
	struct str domain = domain_at(c, about);
	const struct dns_query *q;

	if (c->step == 0) {
		const struct transaction *t = s->tx;

		if (domain.n == 0 || (about == ABOUT_RCPT && t && t->rcpt_known && !is_foreign_rcpt(c)))
			return V_DUNNO;
		ask_mx(question_new(s, ASK_DNS, check_resume), domain);
		return V_WAIT;
	}
	q = &s->question->dns;
	if (q->status == DNS_OK && c->step == 1 && q->n_mx == 1 && q->mx[0].host.n == 0 && about != ABOUT_HELO)
		return check_refuse(c, about == ABOUT_SENDER ? 550 : 556, about == ABOUT_SENDER ? "5.7.27" : "5.1.10",
			about, "Domain %.*s does not accept mail (nullMX)", STR_ARG(domain)); /* RFC 7505 */
	if (q->status == DNS_OK)
		return V_DUNNO;
	if (q->status == DNS_TEMPORARY) {
		check_defer_if_permit(c, 450, about == ABOUT_SENDER ? "4.1.8" : "4.1.2", about,
			about == ABOUT_HELO ? "Host not found" : "Domain not found");
		return V_DUNNO;
	}
	if (c->step == 2)
		return unknown(c, about);
	question_end(s);
	ask_addr(question_new(s, ASK_DNS, check_resume), domain);
	return V_WAIT;
}
