/* What a policy server answers to authd. Oracle: a refusal or a wait only with a number that says so. */
#include "../../src/authd/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_new(0);
	struct policy_answer a;
	const char *why;
	int r = policy_answer_parse(str_pn(data, size), mem, &a, &why);

	if (r < 0 ? a.status != 0 || a.message.n != 0 || why == NULL : why != NULL)
		__builtin_trap();
	arena_free(&mem);
	return 0;
}
