/*
 * What a process says of itself in JSON, before it goes into the answer of `gatepost status`. Oracle: what counts as good is read by
 * jansson, which `gatepost` reads that answer with, and leaves the members behind it what they are.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/json_check.h"
#include "base/log.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str in, const char *before, const char *after, size_t n)
{
	struct buf text = BUF_INIT(1 << 20);
	json_t *whole;

	buf_addf(&text, "{\"processes\":[%s%.*s%s]}", before, STR_ARG(in), after);
	whole = json_loadb(text.p, text.n, 0, NULL);
	require(whole != NULL && json_object_size(whole) == 1);
	require(n == 0 || json_array_size(json_object_get(whole, "processes")) == n);
	json_decref(whole);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_pn(data, size);

	if (size > 0 && json_is_members(in))
		check(in, "{", ",\"role\":\"smtpd\"},{}", 2);
	if (size > 0 && json_is_objects(in))
		check(in, "", "", 0);
	return 0;
}
