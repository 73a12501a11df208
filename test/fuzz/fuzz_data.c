/*
 * Message content (smtp/data.h) against the definition: CRLF.CRLF ends it and nothing else, whatever the split. The first
 * octet chooses the mode and the split.
 */
#include "base/log.h"
#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct outcome {
	struct buf wire;
	size_t used;
	struct data_scan d;
};

static struct outcome feed(struct str in, bool normalize, size_t step)
{
	struct outcome o = { .wire = BUF_INIT(1 << 24) };
	size_t used;

	data_scan_init(&o.d, normalize);
	while (!o.d.ended && o.used < in.n) {
		data_scan(&o.d, str_sub(in, o.used, step), &o.wire, &used);
		o.used += used;
	}
	return o;
}

static size_t end_by_definition(struct str in)
{
	const char *at;

	if (str_has_prefix(in, STR(".\r\n")))
		return 3;
	at = in.n ? memmem(in.p, in.n, "\r\n.\r\n", 5) : NULL;
	return at ? (size_t)(at - in.p) + 5 : 0;
}

static struct outcome feed_chunks(struct str in, bool normalize, size_t step)
{
	struct outcome o = { .wire = BUF_INIT(1 << 24) };

	bdat_scan_init(&o.d);
	o.d.normalize = normalize;
	for (; o.used < in.n; o.used += step)
		bdat_scan(&o.d, str_sub(in, o.used, step), false, &o.wire);
	bdat_scan(&o.d, STR(""), true, &o.wire);
	return o;
}

static void same(struct outcome *a, struct outcome *b)
{
	require(str_eq(buf_str(&a->wire), buf_str(&b->wire)));
	require(a->d.content == b->d.content && a->d.flaws == b->d.flaws && a->d.ended == b->d.ended);
	require(end_by_definition(buf_str(&a->wire)) == 0);
	buf_free(&a->wire);
	buf_free(&b->wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct outcome whole, split;
	struct str in;
	size_t step, end;
	bool normalize;

	if (n < 2)
		return 0;
	normalize = p[0] & 1;
	step = 1 + (p[0] >> 1) % 24;
	in = str_pn(p + 1, n - 1);
	end = end_by_definition(in);
	whole = feed(in, normalize, in.n);
	split = feed(in, normalize, step);
	require(whole.d.ended == (end != 0) && whole.used == (end ? end : in.n) && whole.used == split.used);
	same(&whole, &split);
	whole = feed_chunks(in, normalize, in.n);
	split = feed_chunks(in, normalize, step);
	same(&whole, &split);
	return 0;
}
