/* Replies of a server, whole and octet by octet, and replies of ours made of foreign text (smtp/reply.h). */
#include "base/log.h"
#include "base/utf8.h"
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static uint64_t read_all(struct str in, size_t step)
{
	struct reply_reader r = { 0 };
	uint64_t sum = 0;
	size_t at = 0, used;
	char enhanced[12];
	int got = 0;

	while (at < in.n && got >= 0) {
		got = reply_next(&r, str_sub(in, at, step), &used);
		require(used > 0);
		at += used;
		if (got > 0) {
			require(r.code >= 200 && r.code < 600 && r.text.n <= 16 * 1024);
			require(str_chr(buf_str(&r.text), '\r') < 0 && str_chr(buf_str(&r.text), '\0') < 0);
			sum = sum * 31 + str_hash(buf_str(&r.text)) + str_hash(str_c(reply_enhanced(&r, enhanced)));
			reply_reset(&r);
		}
	}
	reply_reset(&r);
	return sum * 31 + (uint64_t)(got + 7);
}

static void put(struct str text)
{
	struct buf out = BUF_INIT(1024);

	require(reply_put(&out, 550, "5.1.1", true, text) == 0);
	require(out.n <= 512 && str_chr(buf_str(&out), '\n') == (ptrdiff_t)out.n - 1);
	require(str_chr(buf_str(&out), '\r') == (ptrdiff_t)out.n - 2 && utf8_is_valid(buf_str(&out)));
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_pn(p, n);

	require(read_all(in, n ? n : 1) == read_all(in, 1));
	put(in);
	return 0;
}
