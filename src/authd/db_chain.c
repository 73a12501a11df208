#include "authd/db_chain.h"

#include <fnmatch.h>

static bool is_mech_accepted(const char *list, struct str mech)
{
	struct str rest = str_c(list), word;
	bool none = true;

	while (str_word(&rest, " \t,", &word)) {
		none = false;
		if (str_ieq(word, mech.n ? mech : STR("none")))
			return true;
	}
	return none;
}

/* "*" and "?"; nothing else has a meaning, as in Dovecot. */
static bool matches(struct str mask, struct str s)
{
	while (mask.n && mask.p[0] != '*') {
		if (s.n == 0 || (mask.p[0] != '?' && mask.p[0] != s.p[0]))
			return false;
		mask = str_from(mask, 1);
		s = str_from(s, 1);
	}
	if (mask.n == 0)
		return s.n == 0;
	for (size_t i = 0; i <= s.n; i++)
		if (matches(str_from(mask, 1), str_from(s, i)))
			return true;
	return false;
}

/* "*@example.org !bad@*": one that matches, when there are such, and none behind a "!". */
static bool is_user_accepted(const char *list, struct str user)
{
	struct str rest = str_c(list), word;
	bool has_wanted = false, is_wanted = false;

	while (str_word(&rest, " \t,", &word)) {
		bool not = word.p[0] == '!';
		bool match = matches(not ? str_from(word, 1) : word, user);

		if (not &&match)
			return false;
		has_wanted |= !not ;
		is_wanted |= !not &&match;
	}
	return is_wanted || !has_wanted;
}

static bool skips(const struct db_chain *c, const struct db *db)
{
	/* Of a passdb, as in Dovecot: was the password right, whatever followed from that? */
	bool is_done = c->is_passdb ? c->is_verified : c->is_ok;

	return (db->skip == SKIP_DONE && is_done) || (db->skip == SKIP_NOT_DONE && !is_done);
}

const char *db_chain_why_skipped(const struct db_chain *c, size_t i)
{
	const struct db *db = &c->db[i];

	/* As in Dovecot, the first userdb is asked whatever it says. */
	if (!c->is_passdb && i == 0)
		return NULL;
	if (c->is_passdb && db->master != c->is_master)
		return db->master ? "master = yes: it is for those who log in as others" : "it has no masters";
	if (c->is_only_deny && !db->deny)
		return "only those with deny = yes are asked";
	if (!c->is_only_deny && skips(c, db))
		return db->skip == SKIP_DONE ? "skip = authenticated" : "skip = unauthenticated";
	if (c->is_passdb && !is_mech_accepted(db->mechanisms, c->mech))
		return "mechanisms: it is not for this one";
	if (c->is_passdb && !is_user_accepted(db->username_filter, c->user))
		return "username_filter: it is not for this user";
	return NULL;
}

/* From `i` on: true, and c->at is the next to ask. */
static bool find(struct db_chain *c, size_t i)
{
	while (i < c->n && db_chain_why_skipped(c, i))
		i++;
	if (i < c->n)
		c->at = i;
	return i < c->n;
}

enum db_step db_chain_first(struct db_chain *c)
{
	c->is_verified = c->has_failed = c->became = false;
	c->is_ok = c->is_only_deny;
	return find(c, 0) ? DB_ASK : c->is_only_deny ? DB_ACCEPT : DB_REFUSE;
}

static enum db_rule rule_of(const struct db *db, enum db_result r)
{
	switch (r) {
	case DB_OK:
		return db->on_success;
	case DB_FAILED:
		return db->on_internalfail;
	case DB_NEXT:
		return RULE_CONTINUE;
	case DB_MISMATCH:
	case DB_UNKNOWN:
	case DB_DISABLED:
		break;
	}
	return db->on_failure;
}

const char *db_chain_rule(const struct db_chain *c, enum db_result r)
{
	static const char *const names[][RULE_CONTINUE_FAIL + 1] = {
		{ "result_success = return-ok", "result_success = return", "result_success = return-fail",
			"result_success = continue", "result_success = continue-ok", "result_success = continue-fail" },
		{ "result_failure = return-ok", "result_failure = return", "result_failure = return-fail",
			"result_failure = continue", "result_failure = continue-ok", "result_failure = continue-fail" },
		{ "result_internalfail = return-ok", "result_internalfail = return",
			"result_internalfail = return-fail", "result_internalfail = continue",
			"result_internalfail = continue-ok", "result_internalfail = continue-fail" },
	};

	if (r == DB_DISABLED || r == DB_NEXT)
		return "";
	return names[r == DB_OK ? 0 : r == DB_FAILED ? 2 : 1][rule_of(&c->db[c->at], r)];
}

static enum db_step end(const struct db_chain *c, enum db_result r)
{
	if (r == DB_NEXT)
		return DB_TEMP; /* the last one left it to another */
	if (c->is_ok)
		return DB_ACCEPT;
	/* A yes alone is none: "continue" and "return" leave it to what the others said. */
	return c->has_failed || r == DB_FAILED ? DB_TEMP : DB_REFUSE;
}

static enum db_step denied(struct db_chain *c, enum db_result r)
{
	if (r == DB_FAILED)
		return DB_TEMP; /* he may be in it */
	if (r != DB_UNKNOWN)
		return DB_REFUSE_DISABLED;
	return find(c, c->at + 1) ? DB_ASK : end(c, DB_UNKNOWN);
}

enum db_step db_chain_go_on(struct db_chain *c)
{
	c->became = false;
	c->is_master = false;
	return find(c, 0) ? DB_ASK : end(c, DB_OK);
}

enum db_step db_chain_after(struct db_chain *c, enum db_result r)
{
	const struct db *db = &c->db[c->at];
	enum db_rule rule = rule_of(db, r);
	bool goes_on = rule == RULE_CONTINUE || rule == RULE_CONTINUE_OK || rule == RULE_CONTINUE_FAIL;

	if (c->is_passdb && db->deny)
		return denied(c, r);
	if (r == DB_DISABLED)
		return DB_REFUSE_DISABLED;
	if (rule == RULE_RETURN_OK || rule == RULE_CONTINUE_OK)
		c->is_ok = true;
	else if (rule == RULE_RETURN_FAIL || rule == RULE_CONTINUE_FAIL)
		c->is_ok = false;
	if (r == DB_OK && (rule == RULE_RETURN_FAIL || rule == RULE_CONTINUE_FAIL))
		r = DB_MISMATCH; /* he is known, and that is a reason to refuse him */
	c->is_verified |= rule == RULE_CONTINUE_OK || (rule == RULE_CONTINUE && r == DB_OK);
	if (c->is_master && r == DB_OK) {
		c->became = true;
		return goes_on ? DB_ASK : end(c, r);
	}
	c->has_failed |= goes_on && r == DB_FAILED;
	if (goes_on && find(c, c->at + 1))
		return DB_ASK;
	/* "return" with a failure that is not the last word of one before is what it is. */
	return end(c, r);
}
