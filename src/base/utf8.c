#include "base/utf8.h"

size_t utf8_sequence(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char low = 0x80, high = 0xBF;
	size_t len;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (s.n < len)
		return 0;
	/* RFC 3629 sec. 4: the second octet alone excludes overlong forms, surrogates and what is over U+10FFFF. */
	if (p[0] == 0xE0)
		low = 0xA0;
	else if (p[0] == 0xED)
		high = 0x9F;
	else if (p[0] == 0xF0)
		low = 0x90;
	else if (p[0] == 0xF4)
		high = 0x8F;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xBF)
			return 0;
	return len;
}

bool utf8_is_valid(struct str s)
{
	while (s.n) {
		size_t len = utf8_sequence(s);

		if (len == 0)
			return false;
		s = str_from(s, len);
	}
	return true;
}

static bool is_control(struct str character)
{
	unsigned char first = (unsigned char)character.p[0];

	if (character.n == 1)
		return first < 0x20 || first == 0x7f;
	return character.n == 2 && first == 0xc2 && (unsigned char)character.p[1] < 0xa0;
}

struct str utf8_take_visible(struct str *s)
{
	size_t n = utf8_sequence(*s);
	struct str character = str_sub(*s, 0, n ? n : 1);

	*s = str_from(*s, character.n);
	return n == 0 || is_control(character) ? STR("?") : character;
}

void utf8_add_visible(struct buf *out, struct str s)
{
	while (s.n)
		buf_add_str(out, utf8_take_visible(&s));
}

bool str_is_8bit(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}
