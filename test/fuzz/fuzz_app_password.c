/*
 * What a client may show as a password, against what is stored of app passwords: the first line is what was typed, the rest
 * the stored words. Oracle: only 24 characters of the set, whatever stands between them, are one; it is found among words only
 * where its digest is one of them; and a word that is found is one.
 */
#include "auth/app_password.h"
#include "auth/key_words.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_chars(struct str text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += ascii_is_alnum(text.p[i]);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str words = str_pn(data, size), typed = { 0 }, found = { 0 };
	struct buf stored = BUF_INIT(256), all = BUF_INIT(65536);

	str_field(&words, "\n", &typed);
	if (app_password_stored(typed, &stored) < 0) {
		require(stored.n == 0);
		require(!app_password_is_in(words, STR("")));
	} else {
		require(stored.n == APP_PASSWORD_STORED && count_chars(typed) == APP_PASSWORD_CHARS);
		if (buf_addf(&all, "%.*s %.*s", STR_ARG(words), STR_ARG(buf_str(&stored))) == 0)
			require(app_password_is_in(buf_str(&all), buf_str(&stored)));
	}
	if (key_word_find(words, STR("SCRAM-SHA-256"), &found))
		require(found.p >= words.p && found.p + found.n <= words.p + words.n);
	buf_wipe(&stored);
	buf_wipe(&all);
	return 0;
}
