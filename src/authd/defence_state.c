#include "authd/defence_state.h"

#include "auth/auth_proto.h"
#include "base/arena.h"

#include <inttypes.h>
#include <stdio.h>

static const char letters[OF_KINDS] = { [OF_PAIR] = 'p', [OF_NETWORK] = 'n', [OF_WIDE] = 'w', [OF_USER] = 'u' };

/* ---- out ---- */

static uint64_t secret_of(const struct defence *d)
{
	return str_hash_keyed(STR("secret"), d->place_key);
}

static void write_entry(const struct defence *d, unsigned what, size_t at, uint64_t now_ms, struct buf *out)
{
	const struct tally_entry *e = tally_at(&d->tally[what], at);
	char network[NETWORK_TEXT] = "";

	if (e == NULL || tally_score(&d->tally[what], e, now_ms) < TALLY_UNIT / 4)
		return;
	if (what != OF_USER)
		network_format(&e->network, network);
	buf_addf(out, "%c\t%" PRIx64 "\t%" PRIx64 "\t%" PRIx32 "\t%" PRIx64 "\t%s\t", letters[what],
		d->tally[what].key[at], e->user, e->score, e->at_ms, network);
	auth_escape(out, str_c(e->name));
	buf_add_char(out, '\n');
}

static void write_known(const struct defence *d, size_t at, uint64_t now_ms, struct buf *out)
{
	const struct known_user *u = known_at(&d->known, at);
	uint64_t today = now_ms / (24 * 3600 * 1000);

	if (u == NULL)
		return;
	buf_addf(out, "k\t%" PRIx64, d->known.key[at]);
	for (size_t i = 0; i < KNOWN_NETWORKS; i++)
		if (u->at[i].network && (uint64_t)u->at[i].day + d->known.days >= today)
			buf_addf(out, "\t%" PRIx64 ":%" PRIx32, u->at[i].network, u->at[i].day);
	buf_add_char(out, '\n');
}

bool defence_state_write(
	const struct defence *d, struct state_cursor *c, size_t places, uint64_t now_ms, struct buf *out)
{
	if (c->table == 0 && c->at == 0)
		buf_addf(out, "secret\t%" PRIx64 "\nseen\t%s\n", secret_of(d), *d->seen ? d->seen : "-");
	for (size_t i = 0; d->set.is_on && c->table <= OF_KINDS && i < places; i++) {
		bool is_known = c->table == OF_KINDS;

		if (is_known)
			write_known(d, c->at, now_ms, out);
		else
			write_entry(d, c->table, c->at, now_ms, out);
		if (++c->at == (is_known ? d->known.n : d->tally[c->table].n))
			*c = (struct state_cursor){ c->table + 1, 0 };
	}
	return !d->set.is_on || c->table > OF_KINDS;
}

/* ---- in ---- */

static bool read_hex(struct str *rest, const char *seps, uint64_t *out)
{
	struct str s;

	*out = 0;
	if (!str_field(rest, seps, &s) || s.n == 0 || s.n > 16)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char *digits = "0123456789abcdef", *at = s.p[i] ? strchr(digits, s.p[i]) : NULL;

		if (at == NULL)
			return false;
		*out = *out << 4 | (uint64_t)(at - digits);
	}
	return true;
}

struct reading {
	struct defence *d;
	struct arena *mem;
	uint64_t now_ms;
	bool has_secret;
	const char *why;
};

static bool read_entry(struct reading *r, unsigned what, struct str rest)
{
	struct str network_text, name;
	uint64_t key, user, score, at_ms;
	struct network network = { 0 };
	struct tally_entry *e;

	if (!read_hex(&rest, "\t", &key) || !read_hex(&rest, "\t", &user) || !read_hex(&rest, "\t", &score) ||
		!read_hex(&rest, "\t", &at_ms) || !str_field(&rest, "\t", &network_text) ||
		!str_field(&rest, "\t", &name) || rest.p != NULL || key == 0 || score > UINT32_MAX)
		return false;
	if (network_text.n && !network_parse(network_text, &network))
		return false;
	name = auth_unescape(r->mem, name);
	if (name.n >= TALLY_NAME || (name.n && str_chr(name, '\0') >= 0))
		return false;
	e = tally_restore(&r->d->tally[what], key, (uint32_t)score, at_ms, r->now_ms);
	if (e == NULL)
		return true;
	e->user = user;
	e->network = network;
	memset(e->name, 0, sizeof e->name);
	if (name.n)
		memcpy(e->name, name.p, name.n);
	return true;
}

static bool read_known(struct reading *r, struct str rest)
{
	uint64_t user, network, day;
	uint64_t today = r->now_ms / (24 * 3600 * 1000);
	struct str field;

	if (!read_hex(&rest, "\t", &user) || user == 0)
		return false;
	while (str_field(&rest, "\t", &field)) {
		if (!read_hex(&field, ":", &network) || !read_hex(&field, ":", &day) || field.p != NULL ||
			network == 0 || day > UINT32_MAX)
			return false;
		/* The clock may have been ahead. */
		known_put(&r->d->known, user, network, 0, (uint32_t)(day < today ? day : today));
	}
	return true;
}

static bool read_head(struct reading *r, struct str word, struct str rest)
{
	uint64_t n;

	if (str_eq(word, STR("secret"))) {
		r->has_secret = read_hex(&rest, "\t", &n) && n == secret_of(r->d);
		if (!r->has_secret)
			r->why = "it was written with another secret (pid/auth.secret)";
		return r->has_secret;
	}
	if (!str_eq(word, STR("seen")) || rest.n == 0 || rest.n >= sizeof r->d->seen || str_chr(rest, '\t') >= 0)
		return false;
	snprintf(r->d->seen, sizeof r->d->seen, "%.*s", STR_ARG(str_eq(rest, STR("-")) ? STR("") : rest));
	return true;
}

static bool read_line(struct reading *r, struct str line)
{
	struct str word;

	if (!str_field(&line, "\t", &word) || line.p == NULL)
		return false;
	if (word.n > 1)
		return read_head(r, word, line);
	if (!r->has_secret || word.n == 0)
		return false;
	for (unsigned what = 0; what < OF_KINDS; what++)
		if (word.p[0] == letters[what])
			return read_entry(r, what, line);
	return word.p[0] == 'k' && read_known(r, line);
}

int defence_state_read(struct defence *d, struct str text, uint64_t now_ms, const char **why)
{
	struct reading r = { .d = d, .mem = arena_new(0), .now_ms = now_ms, .why = "it is damaged" };
	struct str line;
	bool good = d->set.is_on;

	while (good && text.n && str_field(&text, "\n", &line)) {
		good = read_line(&r, line);
		arena_reset(r.mem);
	}
	arena_wipe(&r.mem);
	*why = r.why;
	return good && r.has_secret ? 0 : -1;
}
