/* auth_verbose, auth_debug and their like: how much of a login is in the log. */
#include "authd/settings_impl.h"

/* no, plain, sha1, the last two with ":N": the first N characters only. yes is plain. */
static bool parse_passwords(struct str value, enum log_passwords *how, unsigned *length)
{
	ptrdiff_t colon = str_chr(value, ':');
	struct str name = str_sub(value, 0, colon < 0 ? value.n : (size_t)colon);
	uint64_t n = 0;

	if (str_ieq(name, STR("no")))
		*how = LOG_PASSWORDS_NO;
	else if (str_ieq(name, STR("plain")) || str_ieq(name, STR("yes")))
		*how = LOG_PASSWORDS_PLAIN;
	else if (str_ieq(name, STR("sha1")))
		*how = LOG_PASSWORDS_SHA1;
	else
		return false;
	if (colon >= 0 && (*how == LOG_PASSWORDS_NO || !str_u64(str_from(value, (size_t)colon + 1), &n) || n == 0))
		return false;
	*length = n > 1000 ? 1000 : (unsigned)n;
	return true;
}

void load_log(struct loader *l)
{
	const struct dovecot_node *n = settings_get(l, "auth_verbose_passwords");
	struct settings *s = l->set;
	bool debug_passwords = false;

	settings_bool(l, "auth_verbose", &s->verbose);
	settings_bool(l, "auth_debug", &s->debug);
	settings_bool(l, "auth_debug_passwords", &debug_passwords);
	if (n && !parse_passwords(str_c(n->value), &s->log_passwords, &s->log_passwords_n))
		settings_complain(
			l, n, "auth_verbose_passwords = %s; it should be no, plain, sha1, plain:N or sha1:N", n->value);
	/* As in Dovecot: it turns the other on. */
	s->debug |= debug_passwords;
	if (debug_passwords && s->log_passwords == LOG_PASSWORDS_NO)
		s->log_passwords = LOG_PASSWORDS_PLAIN;
	if (s->log_passwords == LOG_PASSWORDS_PLAIN)
		buf_addf(l->warnings,
			"%s: %s writes passwords of failed logins, which are often nearly right, into the log; sha1:8 "
			"is enough to see whether it is the same one each time\n",
			l->conf->first->file, debug_passwords ? "auth_debug_passwords" : "auth_verbose_passwords");
}
