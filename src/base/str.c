#include "base/str.h"

#include <sys/random.h>

struct str str_c(const char *s)
{
	return (struct str){ s, s ? strlen(s) : 0 };
}

struct str str_pn(const void *p, size_t n)
{
	return (struct str){ p, n };
}

char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool ascii_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ascii_is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

bool ascii_is_graph(char c)
{
	return c > 32 && c < 127;
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_ieq(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool str_has_prefix(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix);
}

bool str_has_iprefix(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_ieq(str_sub(s, 0, prefix.n), prefix);
}

bool str_has_suffix(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix);
}

bool str_has_isuffix(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_ieq(str_from(s, s.n - suffix.n), suffix);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	if (d)
		return d;
	return a.n < b.n ? -1 : a.n > b.n;
}

ptrdiff_t str_chr(struct str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? at - s.p : -1;
}

ptrdiff_t str_rchr(struct str s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

	return at ? at - s.p : -1;
}

struct str str_from(struct str s, size_t from)
{
	if (from > s.n)
		from = s.n;
	return (struct str){ s.p ? s.p + from : NULL, s.n - from };
}

struct str str_sub(struct str s, size_t from, size_t n)
{
	s = str_from(s, from);
	if (s.n > n)
		s.n = n;
	return s;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.n && is_space(s.p[0]))
		s = str_from(s, 1);
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool in_set(char c, const char *set)
{
	while (*set && *set != c)
		set++;
	return *set;
}

bool str_field(struct str *rest, const char *seps, struct str *field)
{
	size_t i = 0;

	*field = (struct str){ 0 };
	if (rest->p == NULL)
		return false;
	while (i < rest->n && !in_set(rest->p[i], seps))
		i++;
	*field = str_sub(*rest, 0, i);
	if (i == rest->n)
		*rest = (struct str){ 0 };
	else
		*rest = str_from(*rest, i + 1);
	return true;
}

bool str_word(struct str *rest, const char *seps, struct str *word)
{
	size_t i = 0, end;

	while (i < rest->n && in_set(rest->p[i], seps))
		i++;
	end = i;
	while (end < rest->n && !in_set(rest->p[end], seps))
		end++;
	*word = str_sub(*rest, i, end - i);
	*rest = str_from(*rest, end);
	return word->n > 0;
}

bool str_u64(struct str s, uint64_t *out)
{
	uint64_t v = 0;

	*out = 0;
	if (s.n == 0 || s.n > 20)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_is_digit(s.p[i]))
			return false;
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*out = v;
	return true;
}

static uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein 2012): a peer who chooses keys cannot make them collide. */
static uint64_t sip(struct str s, bool fold, const uint64_t key[2])
{
	uint64_t word = 0;
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573 };
	for (size_t i = 0; i < s.n; i++) {
		char c = fold ? ascii_lower(s.p[i]) : s.p[i];

		word |= (uint64_t)(unsigned char)c << (8 * (i & 7));
		if ((i & 7) == 7) {
			v[3] ^= word;
			sip_round(v);
			v[0] ^= word;
			word = 0;
		}
	}
	word |= (uint64_t)s.n << 56;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static const uint64_t *own_key(void)
{
	static uint64_t key[2];

	if (key[0] == 0 && getrandom(key, sizeof key, 0) != sizeof key)
		key[0] = (uint64_t)(uintptr_t)&key | 1;
	return key;
}

uint64_t str_hash(struct str s)
{
	return sip(s, false, own_key());
}

uint64_t str_ihash(struct str s)
{
	return sip(s, true, own_key());
}

uint64_t str_hash_keyed(struct str s, const void *key)
{
	uint64_t k[2];

	memcpy(k, key, sizeof k);
	return sip(s, false, k);
}

bool mem_eq_ct(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;
	unsigned char d = 0;

	for (size_t i = 0; i < n; i++)
		d |= (unsigned char)(x[i] ^ y[i]);
	return d == 0;
}

void mem_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}
