/*
 * Sections of Dovecot 2.4 that are settings in another form. Boolean lists: "auth_mechanisms { plain = yes }" adds to what the
 * setting was, and "= no" takes away. Named filters: "auth_policy { server_url = … }" is auth_policy_server_url. Lists of strings:
 * "auth_policy_request_attributes { login = %{user} }".
 */
#include "conf/dovecot_impl.h"

#include "base/log.h"

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

static void fold_list(struct dovecot_reader *r, const struct dovecot_node *siblings, struct dovecot_node *n)
{
	struct buf value = BUF_INIT(DOVECOT_VALUE_MAX), words = BUF_INIT(DOVECOT_VALUE_MAX);

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

/* As words of one line. */
static void fold_strings(struct dovecot_reader *r, struct dovecot_node *n)
{
	struct buf value = BUF_INIT(DOVECOT_VALUE_MAX);

	for (const struct dovecot_node *c = n->child; c; c = c->next)
		if (c->name || strpbrk(c->value, " \t"))
			dovecot_complain(r, "%s { %s } should be a value without blanks", n->key, c->key);
		else
			buf_addf(&value, "%s%s=%s", value.n ? " " : "", c->key, c->value);
	n->name = NULL;
	n->child = NULL;
	n->value = arena_cdup(r->conf->mem, buf_str(&value));
	buf_free(&value);
}

/* The section becomes its settings. Returns the last of them. */
static struct dovecot_node *unfold_filter(struct dovecot_reader *r, struct dovecot_node *n)
{
	size_t prefix = strlen(n->key) + 1;
	const char *key = n->key;
	struct dovecot_node *last = n;

	for (struct dovecot_node *c = n->child; c; c = c->next)
		if (strncmp(c->key, key, prefix - 1) != 0 || c->key[prefix - 1] != '_')
			c->key = arena_printf(r->conf->mem, "%s_%s", key, c->key);
	if (n->child) {
		require(n->next == NULL);
		*n = *n->child;
	}
	while (last->next)
		last = last->next;
	return last;
}

static bool is_key(const struct dovecot_node *n, const char *key)
{
	return strcmp(n->key, key) == 0;
}

struct dovecot_node *dovecot_fold(struct dovecot_reader *r, const struct dovecot_node *siblings, struct dovecot_node *n)
{
	if (*n->name)
		return n;
	if (is_list(n->key))
		fold_list(r, siblings, n);
	else if (is_key(n, "auth_policy_request_attributes") || is_key(n, "request_attributes"))
		fold_strings(r, n);
	else if (is_key(n, "auth_policy"))
		return unfold_filter(r, n);
	return n;
}
