#include "base/json.h"
#include "base/utf8.h"

void json_put(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	while (s.n) {
		size_t n = utf8_sequence(s);
		unsigned char c = (unsigned char)s.p[0];

		if (n == 0 || c == 0) /* which readers take for an end, or not at all */
			buf_add_c(out, "\\ufffd");
		else if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < 32 || c == 127)
			buf_addf(out, "\\u%04x", c);
		else
			buf_add(out, s.p, n);
		s = str_from(s, n ? n : 1);
	}
	buf_add_char(out, '"');
}
