/* SASL messages of a client, several in a row; and base64. Octet 0 picks the mechanism; 0xff 0xfe separates messages. */
#include "base/log.h"
#include "sasl/base64.h"
#include "sasl/sasl_client.h"
#include "sasl/sasl_mech.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void base64_round(struct str in)
{
	struct buf raw = BUF_INIT(65536), again = BUF_INIT(65536);

	/* Strict: what decodes has this one form only. */
	if (base64_decode(&raw, in) == 0) {
		require(base64_encode(&again, buf_str(&raw)) == 0);
		require(str_eq(buf_str(&again), in));
	}
	buf_reset(&raw);
	base64_decode_loose(&raw, in);
	buf_free(&raw);
	buf_free(&again);
}

static struct str next_message(struct str *rest)
{
	for (size_t i = 0; i + 1 < rest->n; i++)
		if ((uint8_t)rest->p[i] == 0xff && (uint8_t)rest->p[i + 1] == 0xfe) {
			struct str m = str_sub(*rest, 0, i);

			*rest = str_from(*rest, i + 2);
			return m;
		}
	struct str m = *rest;

	*rest = STR("");
	return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sasl_mech *mech;
	struct arena *mem;
	struct buf out = BUF_INIT(65536);
	struct str rest = str_pn(data, size);
	struct sasl_client_choice choice;
	struct sasl_xchg *x;
	enum sasl_step s = SASL_MORE;

	if (size == 0 || size > 60000)
		return 0;
	base64_round(str_from(rest, 1));
	mech = data[0] & 1 ? &sasl_plain : &sasl_login;
	mem = arena_new(0);
	x = sasl_xchg_new(mech, mem, &out);
	rest = str_from(rest, 1);
	if (data[0] & 2)
		s = mech->step(x, (struct str){ 0 });
	for (int i = 0; i < 4 && s == SASL_MORE; i++) {
		buf_reset(&out);
		s = mech->step(x, next_message(&rest));
	}
	if (s == SASL_CHECK_PASS) {
		require(x->authcid.n >= 1 && x->authcid.n <= SASL_NAME_MAX && str_chr(x->authcid, '\0') < 0);
		require(x->pass.n >= 1 && x->pass.n <= SASL_PASS_MAX && str_chr(x->pass, '\0') < 0);
	}
	require((s == SASL_BAD) == (x->why != NULL));
	choice = (struct sasl_client_choice){ .offered = rest,
		.filter = str_pn(data, size),
		.options = str_sub(rest, 0, 8),
		.is_tls = data[0] & 4,
		.can_bind = data[0] & 8 };
	sasl_client_choose_again(&choice, sasl_client_choose(&choice));
	buf_free(&out);
	arena_wipe(&mem);
	return 0;
}
