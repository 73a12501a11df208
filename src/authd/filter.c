#include "authd/filter.h"

#include "sasl/base64.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum { ROUNDS_MAX = 100000, FILL_MAX = 1024, VALUE_MAX = 65536 };

/* ---- arguments ---- */

struct str arg_text(const struct arg *a, const struct filter_state *st)
{
	switch (a->kind) {
	case ARG_VAR:
		return var_value(a->var, a->field, st->v, st->mem);
	case ARG_TEMPLATE:
		return template_expand(&a->inner, st->v, st->mem);
	case ARG_TEXT:
	case ARG_NUMBER:
		break;
	}
	return a->text;
}

static int to_number(struct str s, int64_t *out)
{
	bool minus = s.n && s.p[0] == '-';
	uint64_t n;

	if (!str_u64(minus ? str_from(s, 1) : s, &n) || n > INT64_MAX)
		return -1;
	*out = minus ? -(int64_t)n : (int64_t)n;
	return 0;
}

int arg_number(const struct arg *a, const struct filter_state *st, int64_t *out)
{
	return to_number(arg_text(a, st), out);
}

const struct arg *arg_key(const struct step *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->arg[i].key && strcmp(s->arg[i].key, key) == 0)
			return &s->arg[i];
	return NULL;
}

static bool take(struct filter_state *st, struct buf *b)
{
	st->value = arena_dup(st->mem, buf_str(b));
	st->has_value = true;
	buf_wipe(b);
	return true;
}

/* ---- text ---- */

static bool run_lower(const struct step *s, struct filter_state *st)
{
	char *p = arena_cdup(st->mem, st->value);

	(void)s;
	for (size_t i = 0; i < st->value.n; i++)
		p[i] = ascii_lower(p[i]);
	st->value.p = p;
	return true;
}

static bool run_upper(const struct step *s, struct filter_state *st)
{
	char *p = arena_cdup(st->mem, st->value);

	(void)s;
	for (size_t i = 0; i < st->value.n; i++)
		if (p[i] >= 'a' && p[i] <= 'z')
			p[i] = (char)(p[i] - 32);
	st->value.p = p;
	return true;
}

static bool run_reverse(const struct step *s, struct filter_state *st)
{
	char *p = arena_cdup(st->mem, st->value);

	(void)s;
	for (size_t i = 0; i < st->value.n; i++)
		p[i] = st->value.p[st->value.n - 1 - i];
	st->value.p = p;
	return true;
}

static bool run_username(const struct step *s, struct filter_state *st)
{
	ptrdiff_t at = str_chr(st->value, '@');

	(void)s;
	st->value = at < 0 ? st->value : str_sub(st->value, 0, (size_t)at);
	return true;
}

static bool run_domain(const struct step *s, struct filter_state *st)
{
	ptrdiff_t at = str_chr(st->value, '@');

	(void)s;
	st->value = at < 0 ? STR("") : str_from(st->value, (size_t)at + 1);
	return true;
}

static bool run_ldap_dn(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(VALUE_MAX);

	(void)s;
	for (size_t i = 0; i < st->value.n; i++)
		if (st->value.p[i] == '.')
			buf_add_c(&b, ",dc=");
		else
			buf_add_char(&b, st->value.p[i]);
	return take(st, &b);
}

/* A backslash before " ' and \. */
static bool run_escape(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(VALUE_MAX);

	(void)s;
	for (size_t i = 0; i < st->value.n; i++) {
		if (strchr("\"'\\", st->value.p[i]) && st->value.p[i])
			buf_add_char(&b, '\\');
		buf_add_char(&b, st->value.p[i]);
	}
	return take(st, &b);
}

static bool run_trim(const struct step *s, struct filter_state *st)
{
	(void)s;
	while (st->value.n && strchr(" \t\r\n\v\f", st->value.p[st->value.n - 1]))
		st->value.n--;
	return true;
}

static bool run_text(const struct step *s, struct filter_state *st)
{
	(void)s;
	st->is_binary = false;
	return true;
}

static bool run_default(const struct step *s, struct filter_state *st)
{
	if (st->has_value && st->value.n)
		return true;
	st->value = s->n ? arg_text(&s->arg[0], st) : STR("");
	st->is_binary = false;
	return true;
}

static bool run_literal(const struct step *s, struct filter_state *st)
{
	st->value = arg_text(&s->arg[0], st);
	st->is_binary = false;
	return true;
}

/* The name of a variable in another one's value. */
static bool run_lookup(const struct step *s, struct filter_state *st)
{
	struct str field;
	const struct var *var = var_by_name(arg_text(&s->arg[0], st), &field);

	if (var == NULL)
		return false;
	st->value = var_value(var, field, st->v, st->mem);
	return true;
}

static bool run_concat(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(VALUE_MAX);

	if (st->has_value)
		buf_add_str(&b, st->value);
	for (size_t i = 0; i < s->n; i++)
		buf_add_str(&b, arg_text(&s->arg[i], st));
	return take(st, &b);
}

static bool run_list(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(VALUE_MAX);
	struct str separator = s->n ? arg_text(&s->arg[0], st) : STR(",");

	for (size_t i = 0; i < st->value.n; i++)
		if (st->value.p[i] == '\t')
			buf_add_str(&b, separator);
		else
			buf_add_char(&b, st->value.p[i]);
	return take(st, &b);
}

static bool run_substr(const struct step *s, struct filter_state *st)
{
	int64_t all = (int64_t)st->value.n, from = 0, n = 0;

	if (arg_number(&s->arg[0], st, &from) < 0 || from < -all || from > all)
		return false;
	from = from < 0 ? all + from : from;
	n = all - from;
	if (s->n > 1 && (arg_number(&s->arg[1], st, &n) < 0 || n < -all || n > all))
		return false;
	if (n < 0)
		n = all + n - from;
	if (n < 0 || from + n > all)
		return false;
	st->value = str_sub(st->value, (size_t)from, (size_t)n);
	return true;
}

static bool run_index(const struct step *s, struct filter_state *st)
{
	struct str sep = arg_text(&s->arg[0], st);
	int64_t want, n = 1, at = 0;
	size_t from = 0;

	if (arg_number(&s->arg[1], st, &want) < 0 || sep.n == 0)
		return false;
	for (size_t i = 0; i + sep.n <= st->value.n; i++)
		if (memcmp(st->value.p + i, sep.p, sep.n) == 0) {
			n++;
			i += sep.n - 1;
		}
	want = want < 0 ? n + want : want;
	if (want < 0 || want >= n)
		return false;
	for (size_t i = 0; i <= st->value.n; i++) {
		bool end = i == st->value.n;

		if (!end && (i + sep.n > st->value.n || memcmp(st->value.p + i, sep.p, sep.n) != 0))
			continue;
		if (at++ == want) {
			st->value = str_sub(st->value, from, i - from);
			return true;
		}
		from = i + sep.n;
		i += end ? 0 : sep.n - 1;
	}
	return false;
}

static bool fill(const struct step *s, struct filter_state *st, bool left)
{
	struct buf b = BUF_INIT(VALUE_MAX);
	struct str with = s->n > 1 ? arg_text(&s->arg[1], st) : STR("0");
	int64_t n;
	size_t have = st->value.n;

	if (arg_number(&s->arg[0], st, &n) < 0 || n < 1 || n > FILL_MAX || with.n == 0)
		return false;
	if (!left)
		buf_add_str(&b, st->value);
	for (; have < (size_t)n; have += with.n)
		buf_add_str(&b, with);
	if (left)
		buf_add_str(&b, st->value);
	return take(st, &b);
}

static bool run_lfill(const struct step *s, struct filter_state *st)
{
	return fill(s, st, true);
}

static bool run_rfill(const struct step *s, struct filter_state *st)
{
	return fill(s, st, false);
}

/* ---- numbers ---- */

bool filter_is_operator(const struct arg *a)
{
	return a->kind == ARG_TEXT && a->key == NULL && a->text.n == 1 && str_chr(STR("+-*/%"), a->text.p[0]) >= 0;
}

static bool run_calculate(const struct step *s, struct filter_state *st)
{
	char op = s->arg[0].text.p[0];
	int64_t a, b;
	bool over = false;

	if (arg_number(&s->arg[1], st, &b) < 0 || ((op == '/' || op == '%') && b == 0))
		return false;
	if (st->is_binary && op == '%') {
		uint64_t n = 0;

		if (b < 1)
			return false;
		/* The last eight octets of a digest, as Dovecot has it. */
		for (size_t i = st->value.n > 8 ? st->value.n - 8 : 0; i < st->value.n; i++)
			n = n << 8 | (unsigned char)st->value.p[i];
		st->value = str_c(arena_printf(st->mem, "%llu", (unsigned long long)(n % (uint64_t)b)));
		st->is_binary = false;
		return true;
	}
	if (to_number(st->value, &a) < 0 || (b == -1 && a == INT64_MIN))
		return false;
	switch (op) {
	case '+':
		over = __builtin_add_overflow(a, b, &a);
		break;
	case '-':
		over = __builtin_sub_overflow(a, b, &a);
		break;
	case '*':
		over = __builtin_mul_overflow(a, b, &a);
		break;
	case '/':
		a /= b;
		break;
	case '%':
		a %= b;
		break;
	default:
		return false;
	}
	st->value = str_c(arena_printf(st->mem, "%lld", (long long)a));
	return !over;
}

/* hex(2): two digits, filled up or cut on the left; hex(-2): on the right. */
static bool run_hex(const struct step *s, struct filter_state *st)
{
	char text[24];
	uint64_t number;
	int64_t width = 0;
	struct buf b = BUF_INIT(VALUE_MAX);
	size_t n, want;

	if (!str_u64(st->value, &number) ||
		(s->n && (arg_number(&s->arg[0], st, &width) < 0 || width > FILL_MAX || width < -FILL_MAX)))
		return false;
	n = (size_t)snprintf(text, sizeof text, "%llx", (unsigned long long)number);
	want = (size_t)(width < 0 ? -width : width);
	if (width > 0)
		for (size_t i = n; i < want; i++)
			buf_add_char(&b, '0');
	buf_add_str(&b, width > 0 && n > want ? str_from(str_c(text), n - want) : str_c(text));
	if (width < 0) {
		for (size_t i = n; i < want; i++)
			buf_add_char(&b, '0');
		b.n = want;
	}
	return take(st, &b);
}

static bool run_old_hex(const struct step *s, struct filter_state *st)
{
	uint64_t n;

	(void)s;
	str_u64(st->value, &n);
	st->value = str_c(arena_printf(st->mem, "%llx", (unsigned long long)n));
	return true;
}

static int hex_value(char c)
{
	c = ascii_lower(c);
	return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool run_unhex(const struct step *s, struct filter_state *st)
{
	uint64_t n = 0;

	(void)s;
	if (st->value.n == 0 || st->value.n > 16)
		return false;
	for (size_t i = 0; i < st->value.n; i++) {
		int h = hex_value(st->value.p[i]);

		if (h < 0)
			return false;
		n = n << 4 | (unsigned)h;
	}
	st->value = str_c(arena_printf(st->mem, "%llu", (unsigned long long)n));
	return true;
}

struct str filter_hex(struct arena *mem, struct str s)
{
	char *p = arena_alloc(mem, s.n * 2 + 1);

	for (size_t i = 0; i < s.n; i++)
		snprintf(p + i * 2, 3, "%02x", (unsigned char)s.p[i]);
	return str_pn(p, s.n * 2);
}

static bool run_hexlify(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(VALUE_MAX);
	struct str hex = filter_hex(st->mem, st->value);
	int64_t width = 0;

	if (s->n && (arg_number(&s->arg[0], st, &width) < 0 || width < 0 || width > FILL_MAX))
		return false;
	for (size_t i = hex.n; i < (size_t)width; i++)
		buf_add_char(&b, '0');
	buf_add_str(&b, width && hex.n > (size_t)width ? str_sub(hex, 0, (size_t)width) : hex);
	st->is_binary = false;
	return take(st, &b);
}

static bool run_unhexlify(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(VALUE_MAX);

	(void)s;
	for (size_t i = 0; i + 1 < st->value.n; i += 2) {
		int hi = hex_value(st->value.p[i]), lo = hex_value(st->value.p[i + 1]);

		if (hi < 0 || lo < 0)
			break;
		buf_add_char(&b, (char)(hi * 16 + lo));
	}
	if (b.n * 2 != st->value.n) {
		buf_wipe(&b);
		return false;
	}
	st->is_binary = true;
	return take(st, &b);
}

static bool is_off(const struct step *s, const struct filter_state *st, const char *key, bool otherwise)
{
	const struct arg *a = arg_key(s, key);

	return a ? str_eq(arg_text(a, st), STR("0")) : otherwise;
}

static bool run_base64(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(2 * VALUE_MAX);

	base64_encode(&b, st->value);
	while (is_off(s, st, "pad", false) && b.n && b.p[b.n - 1] == '=')
		b.n--;
	for (size_t i = 0; !is_off(s, st, "url", true) && i < b.n; i++)
		b.p[i] = (char)(b.p[i] == '+' ? '-' : b.p[i] == '/' ? '_' : b.p[i]);
	st->is_binary = false;
	return take(st, &b);
}

static bool run_unbase64(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(VALUE_MAX);
	char *p = arena_cdup(st->mem, st->value);

	for (size_t i = 0; !is_off(s, st, "url", true) && i < st->value.n; i++)
		p[i] = (char)(p[i] == '-' ? '+' : p[i] == '_' ? '/' : p[i]);
	if (base64_decode_loose(&b, str_pn(p, st->value.n)) < 0) {
		buf_wipe(&b);
		return false;
	}
	st->is_binary = true;
	return take(st, &b);
}

/* ---- digests ---- */

/* digest(salt, digest(salt, … value)) */
static size_t digest(
	const char *name, struct str salt, struct str value, int64_t rounds, unsigned char out[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
	unsigned n = 0;

	for (int64_t i = 0; ctx && md && i < rounds; i++) {
		EVP_DigestInit_ex(ctx, md, NULL);
		EVP_DigestUpdate(ctx, salt.p, salt.n);
		EVP_DigestUpdate(ctx, i ? (const void *)out : value.p, i ? n : value.n);
		EVP_DigestFinal_ex(ctx, out, &n);
	}
	EVP_MD_free(md);
	EVP_MD_CTX_free(ctx);
	return n;
}

/* Only the first `bits`, moved to the right end. */
static size_t shift_right(unsigned char *p, size_t n, size_t bits)
{
	size_t octets = (bits + 7) / 8, by = (8 - bits % 8) % 8;

	if (bits == 0 || bits >= n * 8)
		return n;
	for (size_t i = octets; i > 0; i--)
		p[i - 1] = (unsigned char)(p[i - 1] >> by | (i > 1 ? p[i - 2] << (8 - by) : 0));
	return octets;
}

static bool hash_by(const struct step *s, struct filter_state *st, const char *name)
{
	const struct arg *rounds_arg = arg_key(s, "rounds"), *salt_arg = arg_key(s, "salt"),
			 *format = arg_key(s, "format"), *truncate_arg = arg_key(s, "truncate");
	int64_t rounds = 1, bits = 0;
	unsigned char out[EVP_MAX_MD_SIZE];
	size_t n;

	if ((rounds_arg && arg_number(rounds_arg, st, &rounds) < 0) || rounds < 1 || rounds > ROUNDS_MAX ||
		(truncate_arg && (arg_number(truncate_arg, st, &bits) < 0 || bits < 0)))
		return false;
	n = digest(name, salt_arg ? arg_text(salt_arg, st) : STR(""), st->value, rounds, out);
	if (n == 0)
		return false;
	n = shift_right(out, n, (size_t)bits);
	st->value = arena_dup(st->mem, str_pn(out, n));
	st->is_binary = true;
	if (format && str_eq(arg_text(format, st), STR("base64")))
		return run_base64(s, st);
	return true;
}

static bool run_hash(const struct step *s, struct filter_state *st)
{
	const char *name = arena_cdup(st->mem, arg_text(&s->arg[0], st));

	return s->arg[0].key == NULL && filter_digest(str_c(name)) && hash_by(s, st, name);
}

static bool run_digest(const struct step *s, struct filter_state *st)
{
	return hash_by(s, st, s->filter->name);
}

static bool run_truncate(const struct step *s, struct filter_state *st)
{
	const struct arg *bits = arg_key(s, "bits");
	unsigned char *p = (unsigned char *)arena_cdup(st->mem, st->value);
	int64_t n;

	if (s->n == 0 || arg_number(bits ? bits : &s->arg[0], st, &n) < 0 || n < 0)
		return false;
	if (bits)
		st->value = str_pn(p, shift_right(p, st->value.n, (size_t)n));
	else
		st->value = str_sub(st->value, 0, (size_t)n);
	return true;
}

/* 2.3's %H and %N: a number out of a digest, modulo the width, with as many digits as the offset says. */
static bool hash_number(struct filter_state *st, uint64_t n)
{
	char text[24];
	struct buf b = BUF_INIT(VALUE_MAX);
	size_t length;

	if (st->width > 0)
		n %= (uint64_t)st->width;
	length = (size_t)snprintf(text, sizeof text, "%x", (unsigned)n);
	for (long i = (long)length; i < st->offset && i < FILL_MAX; i++)
		buf_add_char(&b, '0');
	buf_add_c(&b, text);
	st->offset = st->width = 0;
	return take(st, &b);
}

static bool run_new_hash(const struct step *s, struct filter_state *st)
{
	unsigned char md5[EVP_MAX_MD_SIZE] = { 0 };
	uint64_t n = 0;

	(void)s;
	if (digest("md5", STR(""), st->value, 1, md5) == 0)
		return false;
	for (size_t i = 0; i < sizeof n; i++)
		n = n << 8 | md5[i];
	return hash_number(st, n);
}

/* The hash function of P. J. Weinberger, which %H has been since Dovecot 1.0. */
static bool run_old_hash(const struct step *s, struct filter_state *st)
{
	unsigned h = 0, g;

	(void)s;
	for (size_t i = 0; i < st->value.n; i++) {
		h = (h << 4) + (unsigned)(int)st->value.p[i];
		g = h & 0xf0000000U;
		if (g)
			h = (h ^ (g >> 24)) ^ g;
	}
	return hash_number(st, h);
}

static bool run_old_md5(const struct step *s, struct filter_state *st)
{
	return hash_by(s, st, "md5");
}

/* ---- the table ---- */

static const struct filter filters[] = {
	/* name          2.3 args  by name            value  */
	{ "lower", 'L', 0, 0, NULL, true, run_lower },
	{ "upper", 'U', 0, 0, NULL, true, run_upper },
	{ "reverse", 'R', 0, 0, NULL, true, run_reverse },
	{ "username", 0, 0, 0, NULL, true, run_username },
	{ "domain", 0, 0, 0, NULL, true, run_domain },
	{ "ldap_dn", 'D', 0, 0, NULL, true, run_ldap_dn },
	{ "text", 0, 0, 0, NULL, true, run_text },
	{ "default", 0, 0, 1, NULL, false, run_default },
	{ "literal", 0, 1, 1, NULL, false, run_literal },
	{ "lookup", 0, 1, 1, NULL, false, run_lookup },
	{ "concat", 0, 1, ARGS_MAX, NULL, false, run_concat },
	{ "list", 0, 0, 1, NULL, true, run_list },
	{ "substr", 0, 1, 2, NULL, true, run_substr },
	{ "index", 0, 2, 2, NULL, true, run_index },
	{ "lfill", 0, 1, 2, NULL, true, run_lfill },
	{ "rfill", 0, 1, 2, NULL, true, run_rfill },
	{ "calculate", 0, 2, 2, NULL, true, run_calculate },
	{ "hex", 0, 0, 1, NULL, true, run_hex },
	{ "unhex", 0, 0, 0, NULL, true, run_unhex },
	{ "hexlify", 0, 0, 1, NULL, true, run_hexlify },
	{ "unhexlify", 0, 0, 0, NULL, true, run_unhexlify },
	{ "base64", 0, 0, 0, " pad url ", true, run_base64 },
	{ "unbase64", 0, 0, 0, " pad url ", true, run_unbase64 },
	{ "hash", 0, 1, 1, " rounds salt ", true, run_hash },
	{ "md5", 0, 0, 0, " rounds salt ", true, run_digest },
	{ "sha1", 0, 0, 0, " rounds salt ", true, run_digest },
	{ "sha256", 0, 0, 0, " rounds salt ", true, run_digest },
	{ "sha384", 0, 0, 0, " rounds salt ", true, run_digest },
	{ "sha512", 0, 0, 0, " rounds salt ", true, run_digest },
	{ "truncate", 0, 0, 1, " bits ", true, run_truncate },
	{ "if", 0, 4, 5, NULL, false, filter_if },
	{ "switch", 0, 3, ARGS_MAX, NULL, false, filter_switch },
	/* of 2.3 only */
	{ "", 'E', 0, 0, NULL, true, run_escape },
	{ "", 'X', 0, 0, NULL, true, run_old_hex },
	{ "", 'H', 0, 0, NULL, true, run_old_hash },
	{ "", 'N', 0, 0, NULL, true, run_new_hash },
	{ "", 'M', 0, 0, NULL, true, run_old_md5 },
	{ "", 'T', 0, 0, NULL, true, run_trim },
};

const struct filter filter_old_if = { "", 0, 5, 5, NULL, false, filter_run_old_if };

const struct filter *filter_by_name(struct str name)
{
	for (size_t i = 0; name.n && i < sizeof filters / sizeof *filters; i++)
		if (str_eq(name, str_c(filters[i].name)))
			return &filters[i];
	return NULL;
}

const struct filter *filter_by_modifier(char c)
{
	for (size_t i = 0; c && i < sizeof filters / sizeof *filters; i++)
		if (filters[i].modifier == c)
			return &filters[i];
	return NULL;
}

const struct filter *filter_digest(struct str name)
{
	const struct filter *f = filter_by_name(name);

	return f && f->run == run_digest ? f : NULL;
}
