#include "ctl/check.h"
#include "conf/restriction.h"
#include "map/table.h"

static const char *const lists[] = { "smtpd_client_restrictions", "smtpd_helo_restrictions",
	"smtpd_sender_restrictions", "smtpd_relay_restrictions", "smtpd_recipient_restrictions",
	"smtpd_data_restrictions", "smtpd_end_of_data_restrictions", "smtpd_etrn_restrictions" };

static bool is_class(const struct conf_view *v, struct str word)
{
	struct str rest = str_c(conf_str(v, "smtpd_restriction_classes")), name;

	while (str_word(&rest, ", \t\r\n", &name))
		if (str_eq(name, word))
			return true;
	return false;
}

/* Has this view the list of main.cf, which was looked at before? */
static bool is_inherited(const struct checked *c, const char *name)
{
	return c->service && strcmp(conf_str(c->view, name), conf_str(c->main, name)) == 0;
}

/* Says what nobody knows in it. Returns whether it has a guard. */
static bool look_at_list(const struct checked *c, const char *name)
{
	bool quiet = is_inherited(c, name);
	struct arena *mem = arena_new(4096);
	struct str *words;
	size_t n = conf_words(str_c(conf_str(c->view, name)), mem, &words);
	enum restriction_sort before = RESTRICTION_PLAIN;
	bool guards = false;

	for (size_t i = 0; i < n; i++) {
		enum restriction_sort sort = restriction_sort(words[i]);

		guards = guards || (sort == RESTRICTION_GUARD && before != RESTRICTION_WARN);
		if (!quiet && sort == RESTRICTION_UNKNOWN && before != RESTRICTION_WITH_ARG &&
			!table_is_spec(words[i]) && words[i].p[0] != '/' && !is_class(c->view, words[i]))
			buf_addf(c->warnings,
				"%s: %s: unknown restriction \"%.*s\"; mail that reaches it is answered with 451 "
				"4.3.5\n",
				c->where, name, STR_ARG(words[i]));
		before = sort == RESTRICTION_UNKNOWN ? RESTRICTION_PLAIN : sort;
	}
	arena_free(&mem);
	return guards;
}

unsigned check_restrictions(const struct checked *c)
{
	bool guards = false;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		if (look_at_list(c, lists[i]) && (strcmp(lists[i], "smtpd_relay_restrictions") == 0 ||
							 strcmp(lists[i], "smtpd_recipient_restrictions") == 0))
			guards = true;
	if (guards || c->service == NULL)
		return 0;
	buf_addf(c->lines,
		"%s: any stranger might relay: neither smtpd_relay_restrictions nor smtpd_recipient_restrictions has "
		"reject_unauth_destination, defer_unauth_destination, reject, defer or defer_if_permit; add "
		"reject_unauth_destination\n",
		c->where);
	return 1;
}
