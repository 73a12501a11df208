/* Filters between octets and their hexadecimal digits or base64. */
#include "authd/filter_impl.h"

#include "base/hex.h"
#include "sasl/base64.h"

#include <stdio.h>

enum { FILL_MAX = 1024 };

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
	return filter_take(st, &b);
}

static bool run_old_hex(const struct step *s, struct filter_state *st)
{
	uint64_t n;

	(void)s;
	str_u64(st->value, &n);
	st->value = str_c(arena_printf(st->mem, "%llx", (unsigned long long)n));
	return true;
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
	return filter_take(st, &b);
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
	return filter_take(st, &b);
}

static bool is_off(const struct step *s, const struct filter_state *st, const char *key, bool otherwise)
{
	const struct arg *a = arg_key(s, key);

	return a ? str_eq(arg_text(a, st), STR("0")) : otherwise;
}

bool filter_base64(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(2 * VALUE_MAX);

	base64_encode(&b, st->value);
	while (is_off(s, st, "pad", false) && b.n && b.p[b.n - 1] == '=')
		b.n--;
	for (size_t i = 0; !is_off(s, st, "url", true) && i < b.n; i++)
		b.p[i] = (char)(b.p[i] == '+' ? '-' : b.p[i] == '/' ? '_' : b.p[i]);
	st->is_binary = false;
	return filter_take(st, &b);
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
	return filter_take(st, &b);
}

static const struct filter rows[] = {
	/* name, 2.3, args, by name, value */
	{ "hex", 0, 0, 1, NULL, true, run_hex },
	{ "unhex", 0, 0, 0, NULL, true, run_unhex },
	{ "hexlify", 0, 0, 1, NULL, true, run_hexlify },
	{ "unhexlify", 0, 0, 0, NULL, true, run_unhexlify },
	{ "base64", 0, 0, 0, " pad url ", true, filter_base64 },
	{ "unbase64", 0, 0, 0, " pad url ", true, run_unbase64 },
	{ "", 'X', 0, 0, NULL, true, run_old_hex },
};

const struct filter_list filters_of_codes = { rows, sizeof rows / sizeof *rows };
