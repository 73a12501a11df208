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
				arena_printf(s->tx->mem,
					"Error: no solicitations of this class are taken: SOLICIT=%.*s", STR_ARG(word)),
				false);
			return true;
		}
	return false;
}

struct str solicit_of(const struct transaction *t)
{
	const struct field *f = fields_next(t, NULL, FIELD_SOLICITATION);
	struct str word, rest = f ? f->value : STR("");
	struct buf words = BUF_INIT(1000); /* sec. 2.2 */
	struct str found = STR("");
	bool is_whole = true;

	if (t->params.solicit.n > 0 || f == NULL || fields_next(t, f, FIELD_SOLICITATION))
		return t->params.solicit;
	while (is_whole && str_word(&rest, " \t", &word)) /* those of its folding */
		is_whole = buf_add_str(&words, word) == 0;
	if (is_whole && solicit_is_valid(buf_str(&words)))
		found = arena_dup(t->mem, buf_str(&words));
	buf_free(&words);
	return found;
}
