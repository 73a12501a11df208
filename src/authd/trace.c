#include "authd/trace.h"

#include "auth/auth_proto.h"
#include "base/log.h"
#include "sasl/scram.h"

#include <stdarg.h>

enum { STEP_MAX = 8192, TEXT_MAX = 300 };

/* ---- who watches ---- */

static struct client *watcher_of(const struct login *l)
{
	struct client *c = l->authd->watchers;

	while (c && !str_eq(str_c(c->watched), l->vars.session))
		c = c->next_watcher;
	return c;
}

void trace_drop(struct client *c)
{
	struct client **at = &c->authd->watchers;

	while (*at && *at != c)
		at = &(*at)->next_watcher;
	if (*at)
		*at = c->next_watcher;
}

static int refuse(struct client *c, const char *why)
{
	client_end(c, why);
	return -1;
}

/* WATCH <id> session=<token>: the next logins that say this session. */
int trace_line(struct client *c, struct str word, struct str rest)
{
	struct str field, session;
	uint32_t id;

	if (c->is_restricted)
		return refuse(c, "only root, and the account that started the service, may watch logins");
	if (!str_eq(word, STR("WATCH")))
		return refuse(c, "an unknown command");
	if (!auth_field(&rest, &field) || !auth_id(field, &id))
		return refuse(c, "WATCH without a valid number");
	if (!auth_field(&rest, &field) || !auth_is_key(field, "session=", &session) || session.n < WATCHED_MIN ||
		session.n >= sizeof c->watched || str_chr(session, '\0') >= 0)
		return refuse(c, "WATCH without a session of 16 to 64 octets");
	trace_drop(c);
	memcpy(c->watched, session.p, session.n);
	c->watched[session.n] = '\0';
	c->watch_id = id;
	c->next_watcher = c->authd->watchers;
	c->authd->watchers = c;
	buf_addf(&c->out, "OK\t%u\n", id);
	client_send_soon(c);
	return 0;
}

/* ---- what is said ---- */

static struct str number(const struct login *l, uint64_t n)
{
	return str_c(arena_printf(l->mem, "%llu", (unsigned long long)n));
}

static void send_step(struct client *c, const char *what, uint64_t at, va_list pairs)
{
	struct buf b = BUF_INIT(STEP_MAX);
	const char *key;

	buf_addf(&b, "TRACE\t%u\t%s\tat=%llu", c->watch_id, what, (unsigned long long)at);
	while ((key = va_arg(pairs, const char *)) != NULL)
		auth_add_field(&b, key, str_sub(va_arg(pairs, struct str), 0, TEXT_MAX));
	buf_add_char(&b, '\n');
	if (c->out.n < CLIENT_OUT_MAX / 2)
		buf_add_str(&c->out, buf_str(&b));
	buf_free(&b);
	client_send_soon(c);
}

static void log_step(const struct login *l, const char *what, uint64_t at, va_list pairs)
{
	struct buf b = BUF_INIT(STEP_MAX);
	struct str user = l->vars.user.n ? l->vars.user : l->vars.orig_user;
	const char *key;

	while ((key = va_arg(pairs, const char *)) != NULL) {
		buf_addf(&b, " %s", key);
		buf_add_str(&b, str_sub(va_arg(pairs, struct str), 0, TEXT_MAX));
	}
	log_info("auth: debug: client %u request %u user=<%.*s> %llu us: %s%.*s", l->client ? l->client->cuid : 0,
		l->id, STR_ARG(user), (unsigned long long)at, what, STR_ARG(buf_str(&b)));
	buf_free(&b);
}

void trace_step(const struct login *l, const char *what, ...)
{
	struct client *c = watcher_of(l);
	uint64_t at = (uv_hrtime() - l->began_ns) / 1000;
	va_list pairs;

	if (c) {
		va_start(pairs, what);
		send_step(c, what, at, pairs);
		va_end(pairs);
	}
	if (l->authd->set->debug) {
		va_start(pairs, what);
		log_step(l, what, at, pairs);
		va_end(pairs);
	}
}

/* "2", as they stand in auth.conf; those for access tokens are not counted. */
static struct str place(const struct login *l, size_t i)
{
	return number(l, i + 1);
}

static struct str driver(const struct login *l, size_t i)
{
	return str_c(l->authd->set->passdb[i].name);
}

void trace_begin(struct login *l)
{
	l->is_traced = l->authd->set->debug || (l->authd->watchers && watcher_of(l));
	TRACE(l, "begin", "mech=", str_c(l->mech->name), "service=", l->vars.service, "rip=", l->vars.remote_ip,
		"lip=", l->vars.local_ip, "secured=", l->vars.secured, "clock=", number(l, l->began_ns));
}

void trace_name(const struct login *l)
{
	TRACE(l, "name", "sent=", l->vars.orig_user, "user=", l->vars.user, "as=", l->vars.login_user);
}

static void say_skipped(const struct login *l, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const char *why = db_chain_why_skipped(&l->chain, i);

		if (why)
			TRACE(l, "skipped", "passdb=", place(l, i), "driver=", driver(l, i), "why=", str_c(why));
	}
}

void trace_first(const struct login *l, enum db_step step)
{
	if (l->is_traced)
		say_skipped(l, 0, step == DB_ASK ? l->chain.at : l->chain.n);
}

/* The scheme of a stored password, which is not secret as the rest of it is. */
static struct str scheme_of(const struct login *l, struct str stored)
{
	static const struct {
		const char *prefix, *name;
	} crypts[] = { { "$6$", "SHA512-CRYPT" }, { "$5$", "SHA256-CRYPT" }, { "$2", "BLF-CRYPT" },
		{ "$1$", "MD5-CRYPT" }, { "$argon2id$", "ARGON2ID" }, { "$argon2i$", "ARGON2I" },
		{ "$y$", "CRYPT (yescrypt)" } };
	struct str scheme = str_c(l->authd->set->passdb[l->passdb].sql.scheme);
	ptrdiff_t end = stored.n && stored.p[0] == '{' ? str_chr(stored, '}') : -1;

	if (end > 0 && password_scheme_check(str_sub(stored, 1, (size_t)end - 1), true) < 0)
		return STR("unknown");
	if (end > 0)
		scheme = str_sub(stored, 1, (size_t)end - 1);
	stored = str_from(stored, (size_t)(end + 1));
	for (size_t i = 0; str_ieq(scheme, STR("CRYPT")) && i < sizeof crypts / sizeof *crypts; i++)
		if (str_has_prefix(stored, str_c(crypts[i].prefix)))
			return str_c(crypts[i].name);
	return scheme;
}

/* While a database behind a socket is down, only the first who asks learns why. */
const char *trace_lookup_fault(const struct lookup *u)
{
	return u->why ? u->why : "it went, or is locked, or too many wait for it; the log says why";
}

void trace_lookup(const struct login *l)
{
	const struct db *db = &l->authd->set->passdb[l->passdb];
	const struct lookup *u = &l->lookup;
	const char *result = u->result == LOOKUP_FAILED ? "it does not work"
			     : u->rows == NULL		? "no such user"
			     : u->rows->next		? "more than one row"
							: "found";

	TRACE(l, "lookup", "passdb=", place(l, l->passdb), "driver=", str_c(db->name),
		"file=", str_c(db->sql.file ? db->sql.file : db->file), "result=", str_c(result),
		"from=", str_c(u->from_cache ? "cache" : "database"),
		"why=", str_c(u->result == LOOKUP_FAILED ? trace_lookup_fault(u) : NULL));
}

void trace_compared(const struct login *l, int verdict, const char *how)
{
	const char *result = verdict == 1 ? "match" : verdict == 0 ? "mismatch" : password_err_text(verdict);

	TRACE(l, "compared", "passdb=", place(l, l->passdb), "scheme=", scheme_of(l, l->stored),
		"result=", str_c(l->is_unknown ? "mismatch" : result), "how=", str_c(how),
		"hash_us=", number(l, l->hash_ns / 1000), "nobody=", str_c(l->is_unknown ? "yes" : "no"));
}

/* It may stand beside a hash of another scheme. */
static struct str key_scheme(const struct login *l)
{
	return l->mech->scram ? str_c(arena_printf(l->mem, "SCRAM-%s", l->mech->scram->name)) : str_c(l->mech->name);
}

void trace_key(const struct login *l, enum password_use use)
{
	static const char *const uses[] = { [PASSWORD_RAW_NONE] = "what is stored is of no use for this mechanism",
		[PASSWORD_RAW_PLAIN] = "derived from a password stored in the clear",
		[PASSWORD_RAW_SCHEME] = "stored in the form of this mechanism" };

	TRACE(l, "key", "passdb=", place(l, l->passdb), "use=", str_c(l->is_unknown ? "unknown user" : uses[use]),
		"scheme=",
		l->is_unknown		     ? STR("")
		: use == PASSWORD_RAW_SCHEME ? key_scheme(l)
					     : scheme_of(l, l->stored));
}

void trace_token(const struct login *l)
{
	trace_name(l);
	TRACE(l, "token", "result=", str_c(l->is_unknown ? "refused" : "good"));
}

void trace_decided(const struct login *l, size_t at, enum db_result r, enum db_step step)
{
	static const char *const results[] = { [DB_OK] = "ok",
		[DB_MISMATCH] = "does not let him in",
		[DB_UNKNOWN] = "unknown user",
		[DB_FAILED] = "internal failure",
		[DB_DISABLED] = "user disabled",
		[DB_NEXT] = "left to the next (noauthenticate)" };
	static const char *const steps[] = { [DB_ASK] = "the next is asked",
		[DB_ACCEPT] = "the login is good",
		[DB_REFUSE] = "the login is refused",
		[DB_REFUSE_DISABLED] = "the login is refused, whatever others say",
		[DB_TEMP] = "temporary failure" };
	const struct db *db = &l->authd->set->passdb[at];
	struct db_chain was = l->chain;
	const char *rule;

	if (!l->is_traced)
		return;
	was.at = at;
	rule = db->deny ? "deny = yes" : db_chain_rule(&was, r);
	TRACE(l, "decided", "passdb=", place(l, at), "driver=", str_c(db->name), "result=", str_c(results[r]),
		"rule=", str_c(rule), "then=", str_c(steps[step]));
	if (step == DB_ASK)
		say_skipped(l, l->chain.at > at ? at + 1 : 0, l->chain.at);
	else if (strstr(rule, "continue") || (db->deny && r == DB_UNKNOWN))
		say_skipped(l, at + 1, l->chain.n);
}

/* What it gave that is for the client; what sounds like a secret is named only. */
static void say_fields(const struct login *l)
{
	struct str rest = l->fields, field;

	while (auth_field(&rest, &field)) {
		ptrdiff_t eq = str_chr(field, '=');
		struct str name = str_sub(field, 0, eq < 0 ? field.n : (size_t)eq);

		if (field.n)
			TRACE(l, "field", "name=", auth_unescape(l->mem, name), "value=",
				auth_is_secret(name)
					? STR("(not shown)")
					: auth_unescape(l->mem, str_from(field, eq < 0 ? field.n : (size_t)eq + 1)));
	}
}

void trace_end(const struct login *l, const char *outcome, const char *code, const char *why, uint64_t delay_ms)
{
	if (!l->is_traced)
		return;
	say_fields(l);
	TRACE(l, "end", "outcome=", str_c(outcome), "user=", l->vars.user, "code=", str_c(code), "why=", str_c(why),
		"delay_ms=", number(l, delay_ms));
}
