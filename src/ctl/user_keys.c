/* What `gatepost user` stores of a password: a hash, and beside it what mechanisms need that never show the password. */
#include "auth/app_password.h"
#include "auth/key_words.h"
#include "auth/password.h"
#include "ctl/user_impl.h"

/*
 * The user's keys of a scheme, in u->mem, for their salt. only_apps: those of app passwords, which stay; else also those of
 * his own password. n == 0: he has none. Returns 0, or -1 (said).
 */
static int find_like(struct users *u, struct str user, struct str scheme, bool only_apps, struct str *like)
{
	sqlite3_stmt *stmt = user_db_select(u,
		only_apps ? "SELECT password FROM credentials WHERE email = ?1 AND name <> ''"
			  : "SELECT password FROM credentials WHERE email = ?1 AND name <> '' UNION ALL "
			    "SELECT c.password FROM credentials c JOIN users u ON u.email = c.email "
			    "WHERE c.email = ?1 AND c.name = '' AND c.made_for = u.password UNION ALL "
			    "SELECT password FROM users WHERE email = ?1",
		user);
	int r = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;

	*like = STR("");
	for (; r == SQLITE_ROW && like->n == 0; r = sqlite3_step(stmt))
		if (key_word_find(str_c((const char *)sqlite3_column_text(stmt, 0)), scheme, like))
			*like = arena_dup(u->mem, *like);
	if (stmt && r != SQLITE_ROW && r != SQLITE_DONE)
		user_failed("users database %s: %s", u->path, sqlite3_errmsg(u->db));
	sqlite3_finalize(stmt);
	return r == SQLITE_ROW || r == SQLITE_DONE ? 0 : -1;
}

static int add_word(
	struct users *u, struct str user, struct str scheme, struct str plain, bool only_apps, struct buf *out)
{
	struct str like = { 0 };
	int r;

	if (key_scheme_is_scram(scheme) && find_like(u, user, scheme, only_apps, &like) < 0)
		return -1;
	r = key_word_add(scheme, plain, like, out);
	return r < 0 ? user_failed("%.*s: %s", STR_ARG(scheme), password_err_text(r)) : 0;
}

static int check_scheme(const struct users *u, struct str scheme)
{
	if (key_scheme_is_known(scheme))
		return 0;
	return user_failed("%s: gatepost_new_credentials names \"%.*s\"; it should be some of SCRAM-SHA-1, "
			   "SCRAM-SHA-256, SCRAM-SHA-512 and CRAM-MD5",
		u->auth_conf, STR_ARG(scheme));
}

int user_make_stored(struct users *u, struct str user, struct str plain, struct buf *stored, struct buf *out)
{
	struct str rest = str_c(u->key_schemes), scheme;

	if (add_word(u, user, str_c(u->scheme), plain, true, stored) < 0)
		return -1;
	while (str_word(&rest, " ,\t", &scheme)) {
		if (check_scheme(u, scheme) < 0)
			return -1;
		/* Unless it is there, as the password itself. */
		if (!str_ieq(scheme, str_c(u->scheme)) && add_word(u, user, scheme, plain, true, out) < 0)
			return -1;
	}
	return 0;
}

int user_make_app_stored(struct users *u, struct str user, struct str plain, struct buf *out)
{
	struct str rest = str_c(u->key_schemes), scheme;

	if (app_password_stored(plain, out) < 0)
		return user_failed("no app password could be made");
	while (str_word(&rest, " ,\t", &scheme)) {
		if (check_scheme(u, scheme) < 0)
			return -1;
		/* A client of CRAM-MD5 is compared with one key only: that of the user's own password. */
		if (key_scheme_is_scram(scheme) && add_word(u, user, scheme, plain, false, out) < 0)
			return -1;
	}
	return 0;
}
