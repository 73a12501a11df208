#include "auth/app_password.h"

#include "auth/password.h"
#include "base/random.h"

enum { GROUP = 4, TYPED_MAX = 64 };

static const char set[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32: five bits of chance each */

void app_password_draw(struct buf *out)
{
	unsigned char random[APP_PASSWORD_CHARS];

	_Static_assert(sizeof set - 1 == 32, "each octet's five bits are one of the set");
	random_octets(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++) {
		if (i && i % GROUP == 0)
			buf_add_char(out, '-');
		buf_add_char(out, set[random[i] % 32]);
	}
	mem_wipe(random, sizeof random);
}

/* The 24, as they are hashed. False: it is no such password. */
static bool take_chars(struct str text, char out[APP_PASSWORD_CHARS])
{
	size_t n = 0;

	if (text.n > TYPED_MAX)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		char c = ascii_lower(text.p[i]);

		if (c == '-' || c == ' ')
			continue;
		if (n == APP_PASSWORD_CHARS || memchr(set, c, sizeof set - 1) == NULL)
			return false;
		out[n++] = c;
	}
	return n == APP_PASSWORD_CHARS;
}

int app_password_stored(struct str text, struct buf *out)
{
	char chars[APP_PASSWORD_CHARS];
	int r = -1;

	if (take_chars(text, chars))
		r = password_make(STR("SHA256.hex"), str_pn(chars, sizeof chars), out);
	mem_wipe(chars, sizeof chars);
	return r < 0 ? -1 : 0;
}

bool app_password_is_in(struct str words, struct str stored)
{
	struct str word;
	bool found = false;

	while (str_word(&words, " ", &word))
		found |= word.n == stored.n && mem_eq_ct(word.p, stored.p, stored.n);
	return found && stored.n == APP_PASSWORD_STORED;
}
