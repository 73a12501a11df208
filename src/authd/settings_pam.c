/* The PAM part of auth.conf: "args" of Dovecot 2.3, and 2.4's settings. */
#include "authd/settings_impl.h"

static void load_template(struct loader *l, const struct dovecot_node *at, const char *text, struct template *out)
{
	const char *why;

	if (template_compile(str_c(text), l->set->mem, out, &why) < 0)
		settings_complain(l, at, "%s", why);
}

/* "pam_session" or "session", with "passdb_" in front or not. */
static const struct dovecot_node *get(const struct dovecot_node *block, const char *key)
{
	const struct dovecot_node *found = NULL;

	for (const struct dovecot_node *n = block->child; n; n = n->next) {
		const char *k = n->key;

		k += strncmp(k, "passdb_", 7) == 0 ? 7 : 0;
		k += strncmp(k, "pam_", 4) == 0 ? 4 : 0;
		if (n->name == NULL && strcmp(k, key) == 0)
			found = n;
	}
	return found;
}

static void load_bool(struct loader *l, const struct dovecot_node *block, const char *key, bool *out)
{
	const struct dovecot_node *n = get(block, key);

	if (n && dovecot_bool(n->value, out) < 0)
		settings_complain(l, n, "%s = %s; it should be yes or no", n->key, n->value);
}

/* Words that are there for a process that serves many requests; here each has one of its own. */
static bool has_no_meaning(struct str word)
{
	return str_eq(word, STR("blocking=yes")) || str_has_prefix(word, STR("max_requests="));
}

/* args = [session=yes] [setcred=yes] [cache_key=…] [failure_show_msg=yes] [max_requests=n] [SERVICE] */
static void load_args(struct loader *l, const struct dovecot_node *args, struct pam_settings *p, const char **service)
{
	struct str rest = str_c(args->value), word, later;

	while (str_word(&rest, " \t", &word)) {
		later = str_trim(rest);
		if (str_eq(word, STR("session=yes")) || str_eq(word, STR("-session")))
			p->session = true;
		else if (str_eq(word, STR("setcred=yes")))
			p->setcred = true;
		else if (str_eq(word, STR("failure_show_msg=yes")))
			p->shows_message = true;
		else if (str_has_prefix(word, STR("cache_key=")))
			load_template(l, args, arena_cdup(l->set->mem, str_from(word, 10)), &p->cache_key);
		else if (str_eq(word, STR("*")))
			*service = "%Ls";
		else if (later.n == 0 && str_chr(word, '=') < 0)
			*service = arena_cdup(l->set->mem, word);
		else if (!has_no_meaning(word))
			settings_complain(l, args,
				"the word \"%.*s\" is not known; there are session=yes, setcred=yes, cache_key=, "
				"failure_show_msg=yes, and a service at the end",
				STR_ARG(word));
	}
}

void load_pam(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db)
{
	const struct dovecot_node *args = get(block, "args"), *name = get(block, "service_name");
	struct pam_settings *p = arena_alloc(l->set->mem, sizeof *p);
	const char *service = "dovecot";

	(void)is_passdb;
	db->pam = p;
	db->sql.scheme = "PLAIN"; /* there is none to be read */
	if (db->deny)
		settings_complain(l, block, "deny = yes: PAM cannot be asked who is in it without a password");
	if (args)
		load_args(l, args, p, &service);
	else if (strcmp(block->name, "pam") == 0)
		load_template(l, block, "%u", &p->cache_key); /* as 2.4 has it */
	load_bool(l, block, "session", &p->session);
	load_bool(l, block, "setcred", &p->setcred);
	load_bool(l, block, "failure_show_msg", &p->shows_message);
	load_template(l, name ? name : args ? args : block, name ? name->value : service, &p->service);
}
