#include "base/json_check.h"
#include "base/hex.h"
#include "base/utf8.h"

enum { DEPTH_MAX = 8, DIGITS_MAX = 18 /* so that no reader finds it too large */ };

struct scan {
	struct str rest;
};

static bool accept(struct scan *s, char c)
{
	if (s->rest.n == 0 || s->rest.p[0] != c)
		return false;
	s->rest = str_from(s->rest, 1);
	return true;
}

static bool is_digit(struct str s)
{
	return s.n > 0 && s.p[0] >= '0' && s.p[0] <= '9';
}

static bool digits(struct scan *s)
{
	size_t n = 0;

	for (; is_digit(s->rest); n++)
		s->rest = str_from(s->rest, 1);
	return n > 0 && n <= DIGITS_MAX;
}

/* None of ours has an exponent. */
static bool number(struct scan *s)
{
	accept(s, '-');
	if (accept(s, '0') ? is_digit(s->rest) : !digits(s))
		return false;
	return !accept(s, '.') || digits(s);
}

static bool escape(struct scan *s)
{
	static const char plain[] = "\"\\/bfnrt";

	if (s->rest.n > 0 && memchr(plain, s->rest.p[0], sizeof plain - 1)) {
		s->rest = str_from(s->rest, 1);
		return true;
	}
	if (!accept(s, 'u') || s->rest.n < 4)
		return false;
	for (size_t i = 0; i < 4; i++)
		if (hex_value(s->rest.p[i]) < 0)
			return false;
	/* Readers take neither a NUL nor half a surrogate pair. */
	if (str_has_prefix(s->rest, STR("0000")) || (str_has_iprefix(s->rest, STR("d")) && s->rest.p[1] >= '8'))
		return false;
	s->rest = str_from(s->rest, 4);
	return true;
}

static bool string(struct scan *s)
{
	struct str text = s->rest;
	unsigned char c;

	if (!accept(s, '"'))
		return false;
	while (!accept(s, '"')) {
		if (s->rest.n == 0)
			return false;
		c = (unsigned char)s->rest.p[0];
		if (c < 0x20 || c == 0x7F)
			return false;
		s->rest = str_from(s->rest, 1);
		if (c == '\\' && !escape(s))
			return false;
	}
	text.n -= s->rest.n;
	return utf8_is_valid(text);
}

static bool value(struct scan *s, unsigned depth);

static bool member(struct scan *s, unsigned depth)
{
	return string(s) && accept(s, ':') && value(s, depth);
}

/* Some of them with commas between, up to `end`. */
static bool list(struct scan *s, bool (*one)(struct scan *s, unsigned depth), char end, unsigned depth)
{
	if (accept(s, end))
		return true;
	do
		if (!one(s, depth))
			return false;
	while (accept(s, ','));
	return accept(s, end);
}

static bool word(struct scan *s, struct str text)
{
	if (!str_has_prefix(s->rest, text))
		return false;
	s->rest = str_from(s->rest, text.n);
	return true;
}

static bool value(struct scan *s, unsigned depth)
{
	if (depth == 0)
		return false;
	if (accept(s, '{'))
		return list(s, member, '}', depth - 1);
	if (accept(s, '['))
		return list(s, value, ']', depth - 1);
	if (s->rest.n > 0 && s->rest.p[0] == '"')
		return string(s);
	return word(s, STR("true")) || word(s, STR("false")) || word(s, STR("null")) || number(s);
}

static bool object(struct scan *s, unsigned depth)
{
	return accept(s, '{') && list(s, member, '}', depth);
}

static bool all(struct str text, bool (*one)(struct scan *s, unsigned depth))
{
	struct scan s = { text };

	if (text.n == 0)
		return true;
	do
		if (!one(&s, DEPTH_MAX))
			return false;
	while (accept(&s, ','));
	return s.rest.n == 0;
}

bool json_is_members(struct str s)
{
	return all(s, member);
}

bool json_is_objects(struct str s)
{
	return all(s, object);
}
