/* Dovecot 2.4's boolean lists: "auth_mechanisms { plain = yes }" adds to what the setting was, and "= no" takes away. */
#include "conf/dovecot_impl.h"

/* Of the settings that anybody here asks for; without it such a section would be passed over as one of another service. */
static bool is_list(const char *key)
{
	static const char *const lists[] = { "auth_mechanisms", "mechanisms", "mechanisms_filter",
		"passdb_mechanisms_filter", "username_filter", "passdb_username_filter", "issuers", "oauth2_issuers",
		"scope", "oauth2_scope" };

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		if (strcmp(lists[i], key) == 0)
			return true;
	return false;
}

static void add_without(struct buf *out, struct str words, struct str not_this)
{
	struct str word;

	while (str_word(&words, " \t,", &word))
		if (!str_ieq(word, not_this))
			buf_addf(out, "%s%.*s", out->n ? " " : "", STR_ARG(word));
}

void dovecot_fold_list(struct dovecot_reader *r, const struct dovecot_node *siblings, struct dovecot_node *n)
{
	struct buf value = BUF_INIT(DOVECOT_VALUE_MAX), words = BUF_INIT(DOVECOT_VALUE_MAX);

	if (*n->name || !is_list(n->key))
		return;
	buf_add_c(&value, dovecot_value(siblings, n->key, ""));
	for (const struct dovecot_node *c = n->child; c; c = c->next) {
		bool on;

		if (c->name || dovecot_bool(c->value, &on) < 0) {
			dovecot_complain(r, "%s { %s } should be \"%s = yes\" or \"= no\"", n->key, c->key, c->key);
			continue;
		}
		buf_reset(&words);
		add_without(&words, buf_str(&value), str_c(c->key));
		if (on)
			buf_addf(&words, "%s%s", words.n ? " " : "", c->key);
		buf_reset(&value);
		buf_add_str(&value, buf_str(&words));
	}
	n->name = NULL;
	n->child = NULL;
	n->value = arena_cdup(r->conf->mem, buf_str(&value));
	buf_free(&value);
	buf_free(&words);
}
