#include "sasl/saslprep.h"

#include "base/arena.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <stringprep.h>

enum { ROOM = 18 }; /* times as long: what NFKC makes of the worst code point (U+FDFA), and to spare */

/* All that is printable ASCII is its own prepared form; no other ASCII is allowed at all (RFC 3454 table C.2.1). */
static bool is_plain_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

int saslprep(struct str s, struct buf *out)
{
	size_t size = s.n * ROOM + 1;
	char *text;
	int r = -1;

	if (s.n == 0 || s.n > 65536 || str_chr(s, '\0') >= 0)
		return -1;
	if (is_plain_ascii(s))
		return buf_add_str(out, s);
	if (!utf8_is_valid(s))
		return -1;
	text = xcalloc(1, size);
	memcpy(text, s.p, s.n);
	if (stringprep(text, size, 0, stringprep_saslprep) == STRINGPREP_OK && *text)
		r = buf_add_c(out, text);
	mem_wipe(text, size);
	free(text);
	return r;
}
