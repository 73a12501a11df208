/* check_names.c - the names by which the server calls itself: they go into EHLO, greetings and header fields as they are. */
#include "ctl/check.h"
#include "smtp/address.h"

/* A number behind the last dot: an address, or taken for one. */
static bool is_like_ip(struct str name)
{
	struct str last = str_from(name, (size_t)(str_rchr(name, '.') + 1));
	uint64_t n;

	return str_u64(last, &n);
}

/* What to write instead of it, into *advice; false: it is good. */
static bool is_bad_name(struct str name, const char *parameter, struct buf *advice)
{
	struct str bare = str_sub(name, 0, name.n ? name.n - 1 : 0);
	struct buf ascii = BUF_INIT(1024);

	if (str_has_prefix(name, STR("[")))
		return false;
	if (domain_is_valid(name, false)) {
		if (is_like_ip(name))
			buf_addf(advice, "an address is no name of a host, and other servers refuse it in EHLO; write "
					 "one such as "
					 "mail.example.com");
		return advice->n > 0;
	}
	if (str_has_suffix(name, STR(".")) && domain_is_valid(bare, false))
		buf_addf(advice, "in SMTP no dot stands behind a name; write %s = %.*s", parameter, STR_ARG(bare));
	else if (domain_is_valid(name, true) && domain_to_ascii(name, &ascii) == 0)
		buf_addf(advice, "other servers know this name in its ASCII form only; write %s = %.*s", parameter,
			STR_ARG(buf_str(&ascii)));
	else
		buf_addf(advice, "this is no name of a host; write one such as mail.example.com");
	buf_free(&ascii);
	return true;
}

/* An instance that runs with such a name shall not stay down for it. */
static bool check_name(const struct checked *c, const char *parameter, unsigned *faults)
{
	struct str name = str_c(conf_str(c->view, parameter));
	struct buf advice = BUF_INIT(4096);
	bool is_bad = is_bad_name(name, parameter, &advice);

	if (is_bad && (c->view == c->main || !str_eq(name, str_c(conf_str(c->main, parameter))))) {
		bool is_fault = c->is_strict && !is_like_ip(name);

		buf_addf(is_fault ? c->lines : c->warnings, "%s: %s = %.*s: %.*s\n", c->where, parameter, STR_ARG(name),
			STR_ARG(buf_str(&advice)));
		*faults += is_fault;
	}
	buf_free(&advice);
	return is_bad;
}

unsigned check_names(const struct checked *c)
{
	/* mydomain is seen by others where myorigin is made of it. */
	static const char *const parameters[] = { "myhostname", "myorigin", "smtp_helo_name", "lmtp_lhlo_name" };
	unsigned faults = 0;

	/* The others are made of the first. */
	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
		if (check_name(c, parameters[i], &faults) && i == 0)
			break;
	return faults;
}
