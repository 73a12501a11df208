/* Addresses, literals and domains (smtp/address.h): what is valid stays so in its normal form. */
#include "base/log.h"
#include "smtp/address.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void try_normal(const struct address *a, bool utf8)
{
	struct buf first = BUF_INIT(1024), second = BUF_INIT(1024);
	struct address again;

	require(address_normalise(a, &first) == 0);
	require(address_parse(buf_str(&first), utf8, &again) == 0);
	require(address_normalise(&again, &second) == 0);
	require(str_eq(buf_str(&first), buf_str(&second)));
	buf_free(&first);
	buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf ascii = BUF_INIT(255);
	struct str in = str_pn(p, n);
	struct address a;

	for (int utf8 = 0; utf8 < 2; utf8++) {
		if (address_parse(in, utf8, &a) == 0)
			try_normal(&a, utf8);
		if (domain_is_valid(in, utf8))
			require(domain_to_ascii(in, &ascii) == 0);
	}
	literal_is_valid(in);
	domain_to_ascii(in, &ascii);
	buf_free(&ascii);
	return 0;
}
