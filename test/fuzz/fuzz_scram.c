/*
 * What a client may say in a SCRAM exchange: octet 0 picks the mechanism and what the server knows; 0xff 0xfe separates
 * messages. The keys are random ones, so that nobody knows the password. Oracle: never a success; names are prepared.
 */
#include "base/log.h"
#include "sasl/saslprep.h"
#include "sasl/sasl_mech.h"
#include "sasl/scram.h"

#include <sys/random.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str next_message(struct str *rest)
{
	struct str m = *rest;

	for (size_t i = 0; i + 1 < rest->n; i++)
		if ((uint8_t)rest->p[i] == 0xff && (uint8_t)rest->p[i + 1] == 0xfe) {
			m = str_sub(*rest, 0, i);
			*rest = str_from(*rest, i + 2);
			return m;
		}
	*rest = STR("");
	return m;
}

static void take_key(struct sasl_xchg *x, bool is_known)
{
	struct scram_keys k = { .iterations = 4096, .salt_n = SCRAM_SALT };
	struct buf record = BUF_INIT(SCRAM_RECORD_MAX);

	require(x->authcid.n >= 1 && x->authcid.n <= SASL_NAME_MAX && str_chr(x->authcid, '\0') < 0);
	require(getrandom(k.stored, sizeof k.stored, 0) == sizeof k.stored);
	if (is_known && scram_keys_format(x->mech->scram, &k, &record) == 0)
		x->key = arena_dup(x->mem, buf_str(&record));
	buf_free(&record);
}

static void parsers(struct str in)
{
	struct scram_keys k;
	struct buf once = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);

	scram_keys_parse(&scram_sha256, in, &k);
	/* What is prepared stays as it is. */
	if (saslprep(in, &once) == 0 && saslprep(buf_str(&once), &twice) == 0)
		require(str_eq(buf_str(&once), buf_str(&twice)));
	buf_free(&once);
	buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sasl_mech *const mechs[] = { &sasl_scram_sha1, &sasl_scram_sha256, &sasl_scram_sha512,
		&sasl_scram_sha256_plus };
	struct str rest = str_from(str_pn(data, size), 1);
	struct buf out = BUF_INIT(65536);
	const struct sasl_mech *mech;
	enum sasl_step s = SASL_MORE;
	struct arena *mem;
	struct sasl_xchg *x;

	if (size == 0 || size > 20000)
		return 0;
	parsers(rest);
	mech = mechs[data[0] & 3];
	mem = arena_new(0);
	x = sasl_xchg_new(mech, mem, &out);
	x->is_plus_offered = data[0] & 4;
	x->nonce = STR("server");
	for (int i = 0; i < 8 && (s == SASL_MORE || s == SASL_WANT_KEY || s == SASL_WANT_BINDING); i++) {
		struct str in = { 0 };

		if (s == SASL_WANT_KEY)
			take_key(x, data[0] & 8);
		else if (s == SASL_WANT_BINDING)
			x->binding = STR("binding");
		else
			in = next_message(&rest);
		buf_reset(&out);
		s = mech->step(x, in);
	}
	require(s != SASL_OK && s != SASL_CHECK_PASS);
	require((s == SASL_BAD) == (x->why != NULL));
	buf_free(&out);
	arena_wipe(&mem);
	return 0;
}
