#include "authd/ldap_text.h"

enum { ESCAPED_MAX = 3 * 65536 };

static struct str escape(struct arena *mem, struct str s, const char *special, bool ends_too)
{
	static const char digits[] = "0123456789abcdef";
	struct buf b = BUF_INIT(ESCAPED_MAX);
	struct str result;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool at_end = ends_too && ((c == ' ' && (i == 0 || i + 1 == s.n)) || (c == '#' && i == 0));

		if (c < ' ' || c > '~' || strchr(special, c) || at_end) {
			buf_add_char(&b, '\\');
			buf_add_char(&b, digits[c >> 4]);
			buf_add_char(&b, digits[c & 15]);
		} else {
			buf_add_char(&b, (char)c);
		}
	}
	result = arena_dup(mem, buf_str(&b));
	buf_wipe(&b);
	return result;
}

struct str ldap_filter_escape(struct arena *mem, struct str s)
{
	return escape(mem, s, "*()\\", false);
}

struct str ldap_dn_escape(struct arena *mem, struct str s)
{
	return escape(mem, s, "\"+,;<>\\=", true);
}

struct str ldap_filter_expand(const struct template *t, const struct vars *v, struct arena *mem)
{
	static const struct template_escape as_filter = { ldap_filter_escape, ldap_dn_escape, true };

	return template_expand_as(t, v, &as_filter, mem);
}

struct str ldap_dn_expand(const struct template *t, const struct vars *v, struct arena *mem)
{
	static const struct template_escape as_name = { ldap_dn_escape, ldap_dn_escape, false };

	return template_expand_as(t, v, &as_name, mem);
}
