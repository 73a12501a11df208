/*
 * Access tokens and JWK sets: the input is a token, checked against two fixed keys whose private halves nobody has here, and
 * then a JWK set. Oracle: no token is good but that of RFC 7515 app. A.3.
 */
#include "auth/jwt.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char set[] =
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
	"\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct jwt_demands demands = { "", "", "", "", "", "iss", false, false };
	struct arena *mem = arena_new(0);
	struct str user, in = str_pn(data, size);
	const char *why;
	struct jwt_keys *k = jwt_keys_parse(str_c(set), &why);

	require(k && jwt_keys_count(k) == 2);
	if (jwt_check(k, in, &demands, 1300819379, mem, &user, &why) == 0)
		require(str_eq(user, STR("joe")));
	else
		require(why && user.n == 0);
	jwt_keys_free(&k);
	k = jwt_keys_parse(in, &why);
	if (k)
		jwt_check(k, in, &demands, 1300819379, mem, &user, &why);
	jwt_keys_free(&k);
	arena_free(&mem);
	return 0;
}
