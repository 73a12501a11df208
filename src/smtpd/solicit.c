/* Solicitations that are refused (RFC 3865). */
#include "smtpd/smtpd.h"

static bool is_refused(const struct session *s, struct str word)
{
	struct str rest = str_c(s->service->no_soliciting), w;

	while (str_word(&rest, ", \t\r\n", &w))
		if (str_ieq(w, word))
			return true;
	return false;
}

bool solicit_refuse(struct session *s, struct str words)
{
	struct str word;

	while (str_word(&words, ", \t", &word))
		if (is_refused(s, word)) {
			reply_reject(s, 550, "5.7.1",
				arena_printf(s->tx->mem, "Error: no solicitations of the class %.*s", STR_ARG(word)),
				false);
			return true;
		}
	return false;
}
