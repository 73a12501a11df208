/* check_names.c - the names by which the server calls itself: they go into EHLO, greetings and header fields as they are. */
#include "ctl/check.h"
#include "smtp/address.h"

static unsigned check_name(const struct checked *c, const char *parameter)
{
	struct str name = str_c(conf_str(c->view, parameter));
	struct buf ascii = BUF_INIT(1024);

	if ((c->view != c->main && str_eq(name, str_c(conf_str(c->main, parameter)))) || domain_is_valid(name, false) ||
		str_has_prefix(name, STR("[")))
		return 0;
	buf_addf(c->lines, "%s: %s = %.*s: ", c->where, parameter, STR_ARG(name));
	if (domain_is_valid(name, true) && domain_to_ascii(name, &ascii) == 0)
		buf_addf(c->lines, "other servers know this name in its ASCII form only; write %s = %.*s\n", parameter,
			STR_ARG(buf_str(&ascii)));
	else
		buf_addf(c->lines, "this is no name of a host; write one such as mail.example.com\n");
	buf_free(&ascii);
	return 1;
}

unsigned check_names(const struct checked *c)
{
	static const char *const parameters[] = { "myhostname", "mydomain", "smtp_helo_name", "lmtp_lhlo_name" };
	unsigned faults = check_name(c, "myhostname");

	/* The others are made of it. */
	for (size_t i = 1; i < sizeof parameters / sizeof *parameters && faults == 0; i++)
		faults += check_name(c, parameters[i]);
	return faults;
}
