/* Is this name and password right: the passdb blocks in turn, each a lookup and a hash. */
#include "authd/login.h"

#include "auth/auth_proto.h"
#include "auth/password.h"
#include "base/log.h"
#include "base/utf8.h"

#include <arpa/inet.h>
#include <sys/random.h>

enum { DUMMY_MAX = 32 * 1024 };

static void ask(struct login *l, bool use_cache);

/* ---- the user's name ---- */

static bool has_octet(const char *set, char c)
{
	return c && strchr(set, c) != NULL;
}

int username_normalise(const struct settings *set, struct vars *v, struct str name, struct arena *mem, const char **why)
{
	char *p = arena_cdup(mem, name);
	struct vars own = *v;

	if (!utf8_is_valid(name) || name.n == 0) {
		*why = "the user name is not UTF-8";
		return -1;
	}
	for (size_t i = 0; i < name.n; i++) {
		for (const char *t = set->username_translation; *t; t += 2)
			if (t[0] == p[i]) {
				p[i] = t[1];
				break;
			}
		if (*set->username_chars && !has_octet(set->username_chars, p[i])) {
			*why = arena_printf(mem, "octet 0x%02x in the user name is not in auth_username_chars",
				(unsigned)(unsigned char)p[i]);
			return -1;
		}
	}
	if (*set->default_realm && strchr(p, '@') == NULL)
		p = arena_printf(mem, "%s@%s", p, set->default_realm);
	vars_set_user(&own, str_c(p));
	if (set->username_format.first)
		vars_set_user(&own, template_expand(&set->username_format, &own, mem));
	if (own.user.n == 0) {
		*why = "auth_username_format leaves nothing of the user name";
		return -1;
	}
	v->user = own.user;
	v->username = own.username;
	v->domain = own.domain;
	return 0;
}

/* ---- allow_nets ---- */

static bool is_in_net(struct str net, const unsigned char *address, int family, size_t size)
{
	ptrdiff_t slash = str_chr(net, '/');
	char text[INET6_ADDRSTRLEN] = { 0 };
	unsigned char base[16];
	uint64_t bits = size * 8;

	if (slash >= 0 && (!str_u64(str_from(net, (size_t)slash + 1), &bits) || bits > size * 8))
		return false;
	net = slash < 0 ? net : str_sub(net, 0, (size_t)slash);
	if (net.n == 0 || net.n >= sizeof text)
		return false;
	memcpy(text, net.p, net.n);
	if (inet_pton(family, text, base) != 1)
		return false;
	if (memcmp(base, address, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || (base[bits / 8] ^ address[bits / 8]) >> (8 - bits % 8) == 0;
}

bool is_in_nets(struct str list, struct str address)
{
	char text[INET6_ADDRSTRLEN] = { 0 };
	unsigned char octets[16];
	struct str net;
	int family;

	if (address.n >= sizeof text)
		return false;
	if (address.n)
		memcpy(text, address.p, address.n);
	family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (address.n && inet_pton(family, text, octets) != 1)
		return false;
	while (str_word(&list, ", \t", &net)) {
		if (str_eq(net, STR("local")) && address.n == 0)
			return true;
		if (address.n && is_in_net(net, octets, family, family == AF_INET6 ? 16 : 4))
			return true;
	}
	return false;
}

/* ---- the answer ---- */

static void say(const struct login *l, const char *what)
{
	log_info("auth: sql(%.*s,%.*s): %s (method %s)", STR_ARG(l->vars.user), STR_ARG(l->vars.remote_ip), what,
		l->mech->name);
}

static void next_passdb(struct login *l)
{
	if (l->is_proven) {
		login_fail(l, NULL, NULL);
		return;
	}
	l->passdb++;
	if (l->passdb < l->authd->set->n_passdbs)
		ask(l, true);
	else if (l->had_temp)
		login_temp_fail(l);
	else if (l->wants_key)
		key_of_nobody(l);
	else
		login_fail(l, NULL, NULL);
}

void check_next(struct login *l)
{
	next_passdb(l);
}

/* Columns that are for this service, or for a userdb that was prefetched, and not for the client. */
static bool is_own_column(struct str name)
{
	static const char *const own[] = { "password", "password_noscheme", "nopassword", "user", "username", "domain",
		"allow_nets", "noauthenticate", "nodelay" };

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (str_ieq(name, str_c(own[i])))
			return true;
	return str_has_iprefix(name, STR("userdb_"));
}

static void collect_fields(struct login *l)
{
	struct buf b = BUF_INIT(8192);

	for (size_t i = 0; i < l->lookup.rows->n; i++) {
		const struct sql_field *f = &l->lookup.rows->field[i];
		size_t before = b.n;

		if (is_own_column(f->name) || f->is_null)
			continue;
		if (buf_add_char(&b, '\t') < 0 || auth_escape(&b, f->name) < 0 || buf_add_char(&b, '=') < 0 ||
			auth_escape(&b, f->value) < 0)
			b.n = before;
	}
	l->fields = arena_dup(l->mem, buf_str(&b));
	buf_wipe(&b);
}

/* The database may know the user by another name: column user, or username and domain. */
static void take_name(struct login *l)
{
	const struct sql_row *row = l->lookup.rows;
	const struct sql_field *user = sql_field_find(row, "user"), *name = sql_field_find(row, "username"),
			       *domain = sql_field_find(row, "domain");

	if (user && user->value.n)
		vars_set_user(&l->vars, user->value);
	else if (name && name->value.n && domain && domain->value.n)
		vars_set_user(&l->vars,
			str_c(arena_printf(l->mem, "%.*s@%.*s", STR_ARG(name->value), STR_ARG(domain->value))));
	else if (name && name->value.n)
		vars_set_user(&l->vars, name->value);
}

static void on_verdict(struct login *l, int verdict)
{
	const struct sql_field *nets;

	if (l->is_unknown) {
		say(l, "unknown user");
		next_passdb(l);
		return;
	}
	if (verdict != 1 && l->lookup.from_cache && !l->is_proven) {
		/* The password may have been changed since. */
		ask(l, false);
		return;
	}
	if (verdict != 1) {
		say(l, verdict == 0 ? "Password mismatch" : password_err_text(verdict));
		next_passdb(l);
		return;
	}
	nets = sql_field_find(l->lookup.rows, "allow_nets");
	if (nets && nets->value.n && !is_in_nets(nets->value, l->vars.remote_ip)) {
		say(l, "allow_nets check failed");
		next_passdb(l);
		return;
	}
	take_name(l);
	collect_fields(l);
	login_succeed(l);
}

void check_proven(struct login *l)
{
	l->is_proven = true;
	on_verdict(l, 1);
}

void dummy_make(struct authd *a, size_t i)
{
	struct buf secret = BUF_INIT(64);
	unsigned char random[16];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		panic("the kernel gives no random numbers");
	for (size_t k = 0; k < sizeof random; k++)
		buf_addf(&secret, "%02x", random[k]);
	a->dummy[i] = BUF_INIT(DUMMY_MAX);
	if (password_make(str_c(a->set->new_scheme), buf_str(&secret), &a->dummy[i]) < 0)
		require(password_make(STR("SHA512-CRYPT"), buf_str(&secret), &a->dummy[i]) == 0);
	buf_wipe(&secret);
}

void dummy_follow(struct authd *a, size_t i, struct str stored)
{
	struct buf next = BUF_INIT(DUMMY_MAX);

	if (password_like(stored, str_c(a->set->passdb[i].sql.scheme), &next) < 0) {
		buf_wipe(&next);
		return;
	}
	buf_wipe(&a->dummy[i]);
	a->dummy[i] = next;
}

static void hash_in_thread(struct job *j)
{
	struct login *l = container_of(j, struct login, job);

	l->verdict = password_verify(
		l->stored, str_c(l->authd->set->passdb[l->passdb].sql.scheme), l->vars.pass, l->authd->set->allow_weak);
}

static void compare(struct login *l);

static void hashing_leave(struct login *l)
{
	struct login **at = &l->authd->hashing;

	while (*at != l)
		at = &(*at)->next_hashing;
	*at = l->next_hashing;
}

/* The login whose hash answers this question too; NULL: none. */
static struct login *hashing_find(const struct login *l)
{
	struct login *other = l->authd->hashing;

	while (other && (other->passdb != l->passdb || memcmp(&other->key, &l->key, sizeof l->key) != 0))
		other = other->next_hashing;
	return other;
}

static void hash_end(struct login *l, bool dropped, int verdict)
{
	if (l->client == NULL)
		login_free(l);
	else if (dropped)
		login_temp_fail(l);
	else
		on_verdict(l, verdict);
}

static void on_hashed(struct job *j, bool dropped)
{
	struct login *l = container_of(j, struct login, job), *follower = l->followers, *next;
	/* Its client is gone, so that the hash may not have been made: those who waited with it still want to know. */
	bool left = l->client == NULL;
	int verdict = l->verdict;

	hashing_leave(l);
	if (!left && !dropped && verdict >= 0)
		verdict_put(l->authd->verdicts, &l->key, verdict == 1, uv_now(j->pool->loop));
	if (!left && !dropped && verdict >= 0 && !l->is_unknown)
		dummy_follow(l->authd, l->passdb, l->stored);
	hash_end(l, dropped, verdict);
	for (; follower; follower = next) {
		next = follower->next_follower;
		if (left && follower->client)
			compare(follower);
		else
			hash_end(follower, dropped, verdict);
	}
}

/* Twenty sessions of one user that log in at once cost one hash. */
static void compare(struct login *l)
{
	struct authd *a = l->authd;
	struct login *leader;
	int known;

	if (l->wants_key) {
		key_take(l);
		return;
	}
	verdict_key(a->verdicts, l->vars.user, l->vars.pass, l->stored, &l->key);
	known = verdict_get(a->verdicts, &l->key, uv_now(a->child.loop));
	if (known >= 0) {
		a->n_verdict_hits++;
		on_verdict(l, known);
		return;
	}
	l->state = LOGIN_WORK;
	l->followers = NULL;
	leader = hashing_find(l);
	if (leader) {
		l->next_follower = leader->followers;
		leader->followers = l;
		return;
	}
	l->job = (struct job){ .run = hash_in_thread, .done = on_hashed };
	if (pool_submit(&a->hashes, &l->job, l->vars.user, l->vars.remote_ip) < 0) {
		login_temp_fail(l);
		return;
	}
	l->next_hashing = a->hashing;
	a->hashing = l;
}

/* nopassword: this user needs none, and the column password must then be empty. */
static bool needs_no_password(const struct sql_row *row, struct str stored)
{
	const struct sql_field *f = sql_field_find(row, "nopassword");

	return f && !f->is_null && stored.n == 0 && !str_eq(f->value, STR("0")) && !str_ieq(f->value, STR("n")) &&
	       !str_ieq(f->value, STR("no"));
}

static void on_rows(struct login *l)
{
	const struct sql_row *row = l->lookup.rows;
	const struct sql_field *password;

	if (l->lookup.result == LOOKUP_FAILED) {
		l->had_temp = true;
		next_passdb(l);
		return;
	}
	l->is_unknown = row == NULL;
	/* A copy: the dummy may follow another user while this one is hashed. */
	l->stored = arena_dup(l->mem, buf_str(&l->authd->dummy[l->passdb]));
	if (row && row->next) {
		log_warn("auth: %s: password_query found more than one row for %.*s",
			l->authd->set->passdb[l->passdb].sql.file, STR_ARG(l->vars.user));
		l->had_temp = true;
		next_passdb(l);
		return;
	}
	password = row ? sql_field_find(row, "password") : NULL;
	if (row && password == NULL && (password = sql_field_find(row, "password_noscheme")) == NULL) {
		log_warn("auth: %s: password_query gives no column \"password\"",
			l->authd->set->passdb[l->passdb].sql.file);
		l->had_temp = true;
		next_passdb(l);
		return;
	}
	if (row && !l->wants_key && needs_no_password(row, password->value)) {
		on_verdict(l, 1);
		return;
	}
	/* A user without a password takes the unknown user's way, for the time that it takes. */
	if (row && password->value.n)
		l->stored = password->value;
	else
		l->is_unknown = true;
	compare(l);
}

static void on_lookup(struct lookup *lookup)
{
	struct login *l = container_of(lookup, struct login, lookup);

	if (l->client == NULL)
		login_free(l);
	else
		on_rows(l);
}

static void ask(struct login *l, bool use_cache)
{
	l->state = LOGIN_WORK;
	l->lookup = (struct lookup){ .done = on_lookup };
	if (lookup_start(&l->lookup, &l->authd->passdb[l->passdb], "password_query",
		    &l->authd->set->passdb[l->passdb].sql.password_query, &l->vars, l->mem, SQL_MAX_ROWS,
		    use_cache && !l->wants_key)) /* a changed password: there is no second look with this proof */
		on_rows(l);
}

void check_start(struct login *l)
{
	l->passdb = 0;
	if (l->authd->set->n_passdbs)
		ask(l, true);
	else if (l->wants_key)
		key_of_nobody(l);
	else
		login_fail(l, NULL, "no passdb has passwords");
}
