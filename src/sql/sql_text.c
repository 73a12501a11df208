#include "sql/sql.h"

size_t sql_comment_length(struct str s)
{
	ptrdiff_t end = str_chr(s, '\n');

	if (str_has_prefix(s, STR("--")))
		return end < 0 ? s.n : (size_t)end + 1;
	for (size_t i = 2; str_has_prefix(s, STR("/*")) && i + 1 < s.n; i++)
		if (s.p[i] == '*' && s.p[i + 1] == '/')
			return i + 2;
	return 0;
}

void sql_add_escaped(struct buf *out, char c)
{
	static const char from[] = "0bnrtZ", to[] = "\0\b\n\r\t\032";
	const char *at = c ? strchr(from, c) : NULL;

	if (c == '%' || c == '_')
		buf_add_char(out, '\\');
	buf_add_char(out, at ? to[at - from] : c);
}
