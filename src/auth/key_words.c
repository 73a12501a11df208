#include "auth/key_words.h"

#include "auth/password.h"
#include "sasl/scram.h"

static const struct scram_hash *scram_of(struct str scheme)
{
	return str_has_iprefix(scheme, STR("SCRAM-")) ? scram_hash_find(str_from(scheme, 6)) : NULL;
}

bool key_scheme_is_scram(struct str scheme)
{
	return scram_of(scheme) != NULL;
}

bool key_scheme_is_known(struct str scheme)
{
	return key_scheme_is_scram(scheme) || str_ieq(scheme, STR("CRAM-MD5"));
}

bool key_word_find(struct str words, struct str scheme, struct str *data)
{
	struct str word;

	while (str_word(&words, " ", &word)) {
		ptrdiff_t end = word.p[0] == '{' ? str_chr(word, '}') : -1;

		if (end > 1 && str_ieq(str_sub(word, 1, (size_t)end - 1), scheme)) {
			*data = str_from(word, (size_t)end + 1);
			return true;
		}
	}
	return false;
}

int key_word_add(struct str scheme, struct str plain, struct str like, struct buf *out)
{
	const struct scram_hash *h = scram_of(scheme);
	struct scram_keys k;
	int r;

	if (out->n)
		buf_add_char(out, ' ');
	if (h == NULL || scram_keys_parse(h, like, &k) < 0)
		return password_make(scheme, plain, out);
	r = scram_derive(h, plain, &k);
	buf_addf(out, "{%.*s}", STR_ARG(scheme));
	if (r == 0)
		r = scram_keys_format(h, &k, out);
	mem_wipe(&k, sizeof k);
	return r < 0 ? -PASSWORD_ECANNOT : 0;
}
