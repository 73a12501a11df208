/*
 * The ORCPT that goes on with a recipient, and addresses in the ASCII form of RFC 6533. Octet 0: the input is the client's
 * ORCPT, or the address. Oracle: what we make is one word of printable ASCII and not too long.
 */
#include "smtp/orcpt.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *mem = arena_new(512);
	struct str text = str_from(str_pn(p, n), 1), out;
	struct envelope_rcpt r = { .address = STR("a@x.example") };
	struct buf b = BUF_INIT(1 << 16);

	if (n > 0 && n < 5000) {
		if (p[0] & 1)
			r.orcpt = text;
		else
			r.address = text;
		out = orcpt_of(mem, &r);
		/* ASCII of a client was read by the command parser, and goes on as it is. */
		for (size_t i = 0; i < out.n && out.p != r.orcpt.p; i++)
			require(ascii_is_graph(out.p[i]) && out.n <= ORCPT_MAX_OCTETS);
		buf_add_c(&b, "before");
		if (utf8_address_put(&b, text) != 0)
			require(str_eq(buf_str(&b), STR("before")));
		for (size_t i = 0; i < b.n; i++)
			require(ascii_is_graph(b.p[i]));
	}
	buf_free(&b);
	arena_free(&mem);
	return 0;
}
