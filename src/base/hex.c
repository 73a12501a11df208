#include "base/hex.h"

int hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_add(struct buf *out, const void *octets, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = octets;
	char *to = buf_reserve(out, 2 * n);

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		*to++ = digits[from[i] >> 4];
		*to++ = digits[from[i] & 15];
	}
	buf_commit(out, 2 * n);
	return 0;
}

int hex_decode(struct buf *out, struct str digits)
{
	if (digits.n % 2)
		return -1;
	for (size_t i = 0; i < digits.n; i += 2) {
		int high = hex_value(digits.p[i]), low = hex_value(digits.p[i + 1]);

		if (high < 0 || low < 0 || buf_add_char(out, (char)(high * 16 + low)) < 0)
			return -1;
	}
	return 0;
}
