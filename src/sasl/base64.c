#include "sasl/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(struct buf *out, struct str s)
{
	size_t n = (s.n + 2) / 3 * 4, o = 0;
	char *p = buf_reserve(out, n);

	if (p == NULL)
		return -1;
	for (size_t i = 0; i < s.n; i += 3) {
		uint32_t v = (uint32_t)(uint8_t)s.p[i] << 16;

		if (i + 1 < s.n)
			v |= (uint32_t)(uint8_t)s.p[i + 1] << 8;
		if (i + 2 < s.n)
			v |= (uint32_t)(uint8_t)s.p[i + 2];
		p[o++] = alphabet[v >> 18 & 63];
		p[o++] = alphabet[v >> 12 & 63];
		p[o++] = i + 1 < s.n ? alphabet[v >> 6 & 63] : '=';
		p[o++] = i + 2 < s.n ? alphabet[v & 63] : '=';
	}
	buf_commit(out, n);
	return 0;
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* s without padding: 0 to 3 characters over a multiple of four. */
static int decode(struct buf *out, struct str s, bool strict)
{
	size_t n = s.n / 4 * 3 + (s.n % 4 ? s.n % 4 - 1 : 0), o = 0;
	uint32_t bits = 0;
	unsigned have = 0;
	char *p;

	if (s.n % 4 == 1)
		return -1;
	p = buf_reserve(out, n);
	if (p == NULL)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		int v = value_of(s.p[i]);

		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			p[o++] = (char)(bits >> have & 255);
		}
	}
	if (strict && have && (bits & ((1U << have) - 1)))
		return -1; /* RFC 4648 sec. 3.5 */
	buf_commit(out, n);
	return 0;
}

static struct str without_padding(struct str s)
{
	for (int i = 0; i < 2 && s.n && s.p[s.n - 1] == '='; i++)
		s.n--;
	return s;
}

int base64_decode(struct buf *out, struct str s)
{
	if (s.n % 4 != 0)
		return -1;
	return decode(out, without_padding(s), true);
}

int base64_decode_loose(struct buf *out, struct str s)
{
	return decode(out, without_padding(s), false);
}
