/*
 * What the server that issued a token says of it (RFC 7662), and a JWK set that it gives. Oracles: what says that it is not active is
 * never good; what is kept and read again is judged the same; it is kept no longer than it is good.
 */
#include "auth/jwt.h"
#include "base/log.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1700000000, LATEST = NOW + 300 };

static void judge(struct str in)
{
	static const struct jwt_demands demands[] = { { "", "", "", "", "", "email", false, false },
		{ "https://a", "mail", "mail", "active", "true", "sub", false, false } };
	json_t *claims = claims_parse(in), *again;
	struct arena *mem = arena_new(0);
	char *text;

	if (claims) {
		time_t end = claims_end(claims, NOW, LATEST);
		const json_t *active = json_object_get(claims, "active");

		require(end >= NOW && end <= LATEST);
		text = json_dumps(claims, JSON_COMPACT);
		again = text ? claims_parse(str_c(text)) : NULL;
		for (size_t i = 0; i < 2; i++) {
			const char *why = claims_check_answer(claims, &demands[i], NOW);

			require(why || !active || (!json_is_false(active) && !json_is_null(active)));
			require(!again || claims_check_answer(again, &demands[i], NOW) == why);
			claims_check(claims, &demands[i], NOW);
			require(claims_text(claims, demands[i].username_attribute, mem).n <= in.n + 32);
		}
		json_decref(again);
		free(text);
	}
	json_decref(claims);
	arena_free(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_pn(data, size);
	struct jwt_keys *k;
	const char *why;

	judge(in);
	k = jwt_keys_parse(in, &why);
	require(k ? jwt_keys_count(k) > 0 : why != NULL);
	jwt_needs_other_keys(k, in);
	jwt_keys_free(&k);
	return 0;
}
