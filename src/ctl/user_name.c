/* What a user may be called: his name becomes a folder's (/var/vmail/%d/%n), a line of logs and lists, an address. */
#include "base/utf8.h"
#include "ctl/user_impl.h"

enum { NAME_MAX_OCTETS = 255 };

/* ASCII's, and those of ISO 6429 above them (U+0080 to U+009F). */
static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c == 127 || (c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0))
			return true;
	}
	return false;
}

static bool is_dots(struct str s)
{
	return str_eq(s, STR(".")) || str_eq(s, STR(".."));
}

const char *user_name_fault(struct str name)
{
	ptrdiff_t at = str_chr(name, '@');
	struct str local = at < 0 ? name : str_sub(name, 0, (size_t)at),
		   domain = at < 0 ? STR("") : str_from(name, (size_t)at + 1);

	if (name.n == 0 || name.n > NAME_MAX_OCTETS || !utf8_is_valid(name))
		return "a user's name has 1 to 255 octets of UTF-8";
	if (has_control(name))
		return "a user's name has no blanks and no control characters";
	if (local.n == 0)
		return "nothing stands before the @; a user's name is an address, such as john@example.org, or a word";
	if (at >= 0 && domain.n == 0)
		return "nothing stands behind the @; a user's name is an address, such as john@example.org, or a word";
	if (str_chr(domain, '@') >= 0)
		return "a user's name has one @, between the user and his domain";
	if (str_chr(name, '/') >= 0 || is_dots(local) || is_dots(domain))
		return "a user's name has no \"/\" and is not \".\" or \"..\": folders are made of it, and it would "
		       "lead to another one";
	return NULL;
}
