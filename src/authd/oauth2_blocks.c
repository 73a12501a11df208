/* Where auth.conf has settings of tokens: as Dovecot 2.3, a file of its own; as 2.4, oauth2_… and oauth2 { }. */
#include "authd/oauth2_places.h"

#include "base/log.h"

static void load_file(struct loader *l, const struct dovecot_node *args, struct oauth2 *out)
{
	struct dovecot_conf *c = dovecot_load_flat(args->value, l->errors);
	struct oauth2_places p = { .out = out };

	oauth2_place_add(&p, c->first, "");
	settings_add_warnings(l, c);
	out->file = settings_keep(l, args->value);
	oauth2_check_words(l, c->first, true);
	oauth2_load_from(l, &p);
	dovecot_free(&c);
}

/* ---- which of them ---- */

static bool is_oauth2(const struct dovecot_node *passdb)
{
	return strcmp(dovecot_value(
			      passdb->child, "driver", dovecot_value(passdb->child, "passdb_driver", passdb->name)),
		       "oauth2") == 0;
}

static const char *mechanisms_of(const struct dovecot_node *passdb)
{
	return dovecot_value(passdb->child, "mechanisms",
		dovecot_value(passdb->child, "mechanisms_filter",
			dovecot_value(passdb->child, "passdb_mechanisms_filter", "")));
}

static const struct dovecot_node *find_passdb(const struct loader *l)
{
	const struct dovecot_node *n = l->conf->first;

	for (; (n = dovecot_section(n, "passdb")) != NULL; n = n->next)
		if (is_oauth2(n) && !oauth2_is_grant(l, n))
			return n;
	return NULL;
}

static const struct dovecot_node *find_named(const struct dovecot_node *list)
{
	for (const struct dovecot_node *n = list; n; n = n->next)
		if ((n->name && strcmp(n->key, "oauth2") == 0) || strncmp(n->key, "oauth2_", 7) == 0)
			return n;
	return NULL;
}

/* Settings around the blocks are those of tokens; but for who wants passwords only. */
static bool is_for_tokens(const struct loader *l)
{
	bool is = true;

	for (size_t i = 0; i < l->set->n_passdbs; i++)
		is = is && l->set->passdb[i].kind != DB_OAUTH2;
	for (size_t i = 0; i < l->set->n_mechs; i++)
		is = is || (l->set->mech[i]->flags & SASL_TOKEN);
	return is;
}

bool oauth2_is_named(const struct loader *l)
{
	return find_passdb(l) != NULL || find_named(l->conf->first) != NULL;
}

/* The passdb's own words, then those of oauth2 { }, then those around. */
static void add_places(const struct loader *l, const struct dovecot_node *passdb, struct oauth2_places *p)
{
	const struct dovecot_node *block = dovecot_section(l->conf->first, "oauth2");

	if (passdb)
		oauth2_place_add(p, passdb->child, "oauth2_");
	if (block) {
		oauth2_place_add(p, block->child, "");
		oauth2_place_add(p, block->child, "oauth2_");
	}
	oauth2_place_add(p, l->conf->first, "oauth2_");
}

static void load_around(
	struct loader *l, const struct dovecot_node *passdb, const struct dovecot_node *at, struct oauth2 *out)
{
	const struct dovecot_node *block = dovecot_section(l->conf->first, "oauth2");
	struct oauth2_places p = { .out = out, .ca_file = dovecot_value(l->conf->first, "ssl_client_ca_file", NULL) };

	oauth2_check_words(l, l->conf->first, false);
	if (passdb)
		oauth2_check_words(l, passdb->child, false);
	if (block && dovecot_section(block->next, "oauth2"))
		settings_complain(l, block, "there are several blocks oauth2 { }; it should be one");
	if (block)
		oauth2_check_words(l, block->child, true);
	add_places(l, passdb, &p);
	out->file = settings_keep(l, at->file);
	oauth2_load_from(l, &p);
}

/* ---- passwords that are shown to the issuer ---- */

/* Has the list any of the mechanisms that show a token? */
static bool names_tokens(const char *mechanisms)
{
	struct str rest = str_c(mechanisms), word;

	while (str_word(&rest, " \t,", &word))
		if (str_ieq(word, STR("oauthbearer")) || str_ieq(word, STR("xoauth2")))
			return true;
	return false;
}

bool oauth2_is_grant(const struct loader *l, const struct dovecot_node *passdb)
{
	const struct dovecot_node *args = dovecot_get(passdb->child, "args"), *n;
	struct buf unused = BUF_INIT(65536); /* load_file() says them again */
	struct dovecot_conf *c = args ? dovecot_load_flat(args->value, &unused) : NULL;
	struct oauth2_places p = { 0 };
	bool is = false;

	if (c)
		oauth2_place_add(&p, c->first, "");
	else
		add_places(l, passdb, &p);
	n = oauth2_place_get(&p, "use_grant_password");
	if (n && !(c == NULL && names_tokens(mechanisms_of(passdb))))
		dovecot_bool(n->value, &is);
	else if (n == NULL) /* 2.4 has no such word */
		is = args == NULL && *mechanisms_of(passdb) && !names_tokens(mechanisms_of(passdb));
	if (c)
		dovecot_free(&c);
	buf_free(&unused);
	return is;
}

void load_grant(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db)
{
	const struct dovecot_node *args = dovecot_get(block->child, "args");

	(void)is_passdb;
	db->grant = arena_alloc(l->set->mem, sizeof *db->grant);
	db->grant->is_grant = true;
	db->sql.scheme = "PLAIN"; /* there is none to be read */
	if (db->deny)
		settings_complain(l, block, "deny = yes: the server cannot be asked who it knows without a password");
	if (args)
		load_file(l, args, db->grant);
	else
		load_around(l, block, block, db->grant);
}

/* ---- tokens ---- */

void load_oauth2(struct loader *l)
{
	const struct dovecot_node *passdb = find_passdb(l), *outside = find_named(l->conf->first);
	const struct dovecot_node *args = passdb ? dovecot_get(passdb->child, "args") : NULL;
	const char *mechanisms = "";

	if (args && (outside || find_named(passdb->child)))
		settings_complain(l, args,
			"there are both args = FILE and settings oauth2_…, which would not be obeyed; it should be one "
			"of "
			"them");
	else if (args)
		load_file(l, args, &l->set->oauth2);
	else if (outside && (passdb || is_for_tokens(l)))
		load_around(l, passdb, outside, &l->set->oauth2);
	else if (passdb && find_named(passdb->child))
		load_around(l, passdb, passdb, &l->set->oauth2);
	else if (passdb)
		settings_complain(l, passdb, "passdb oauth2 needs args = FILE, or settings oauth2_… outside");
	if (passdb)
		mechanisms = mechanisms_of(passdb);
	l->set->oauth2.mechanisms = settings_keep(l, mechanisms);
	for (size_t i = 0; i < l->set->n_mechs; i++)
		if ((l->set->mech[i]->flags & SASL_TOKEN) && !l->set->oauth2.is_set)
			buf_addf(l->errors,
				"auth_mechanisms has %s; it needs \"passdb { driver = oauth2  args = FILE }\"\n",
				l->set->mech[i]->name);
}
