#include "mime/content_type.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 5322 sec. 3.2.3 and RFC 2045 sec. 5.1: what ends a word in an address or a parameter. */
static bool is_special(char c)
{
	return c != '\0' && strchr("()<>@,;:\\\"[]=", c) != NULL;
}

/* Octets up to the `close` that belongs to the first one, backslashes and (in comments) nesting observed. */
static size_t enclosed(struct str in, char open, char close)
{
	size_t depth = 0;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\\')
			i++;
		else if (in.p[i] == close && (open != close || i > 0)) {
			if (open == close || --depth == 0)
				return i + 1;
		} else if (in.p[i] == open && open != close)
			depth++;
	}
	return in.n;
}

/* An angle with a quoted string in it: a ">" there does not close it. */
static size_t angle(struct str in)
{
	size_t i = 1;

	while (i < in.n && in.p[i] != '>')
		i += in.p[i] == '"' ? enclosed(str_from(in, i), '"', '"') : 1;
	return i < in.n ? i + 1 : in.n;
}

static size_t run(struct str in, bool blanks)
{
	size_t n = 0;

	while (n < in.n && is_blank(in.p[n]) == blanks && (blanks || !is_special(in.p[n])))
		n++;
	return n;
}

char mime_item(struct str *rest, struct str *item)
{
	char first = rest->n > 0 ? rest->p[0] : '\0';
	size_t n = 1;

	if (rest->n == 0) {
		*item = str_sub(*rest, 0, 0);
		return 0;
	}
	if (first == '(')
		n = enclosed(*rest, '(', ')');
	else if (first == '"')
		n = enclosed(*rest, '"', '"');
	else if (first == '<')
		n = angle(*rest);
	else if (is_blank(first)) {
		n = run(*rest, true);
		first = ' ';
	} else if (!is_special(first)) {
		n = run(*rest, false);
		first = 'a';
	}
	*item = str_sub(*rest, 0, n);
	*rest = str_from(*rest, n);
	return first;
}

size_t mime_unquote(struct str item, char *out, size_t max)
{
	bool quoted = item.n > 0 && item.p[0] == '"';
	size_t n = 0;

	for (size_t i = quoted; i < item.n && n < max; i++) {
		if (quoted && item.p[i] == '"')
			break;
		if (quoted && item.p[i] == '\\' && i + 1 < item.n)
			i++;
		if (item.p[i] != '\r' && item.p[i] != '\n')
			out[n++] = item.p[i];
	}
	return n;
}

/* The next item that means something. */
static char next_item(struct str *rest, struct str *item)
{
	char c;

	do
		c = mime_item(rest, item);
	while (c == ' ' || c == '(');
	return c;
}

/* The value of a parameter: quoted, or what there is up to a blank or ";", tspecials included, as most readers do. */
static struct str parameter_value(struct str *rest)
{
	struct str item;
	size_t n = 0;

	*rest = str_from(*rest, run(*rest, true));
	if (rest->n > 0 && rest->p[0] == '"') {
		mime_item(rest, &item);
		return item;
	}
	while (n < rest->n && !is_blank(rest->p[n]) && rest->p[n] != ';' && rest->p[n] != '(')
		n++;
	item = str_sub(*rest, 0, n);
	*rest = str_from(*rest, n);
	return item;
}

/* The first boundary among the parameters, or 0 octets. One that is too long is none. */
static size_t find_boundary(struct str rest, char *boundary)
{
	char text[MIME_BOUNDARY_MAX + 1];
	struct str name = { "", 0 }, item;
	char c;
	size_t n;

	while ((c = next_item(&rest, &item)) != 0) {
		if (c == 'a')
			name = item;
		if (c != '=')
			continue;
		item = parameter_value(&rest);
		if (!str_ieq(name, STR("boundary")))
			continue;
		n = mime_unquote(item, text, sizeof text);
		while (n > 0 && is_blank(text[n - 1]))
			n--;
		if (n > MIME_BOUNDARY_MAX)
			return 0;
		memcpy(boundary, text, n);
		return n;
	}
	return 0;
}

static const struct {
	const char *type, *subtype; /* NULL: all others */
	enum mime_kind kind;
} kinds[] = {
	{ "multipart", "signed", MIME_SEALED },	   /* RFC 1847 sec. 2.1 */
	{ "multipart", "encrypted", MIME_SEALED }, /* RFC 1847 sec. 2.2 */
	{ "multipart", "digest", MIME_DIGEST },
	{ "multipart", NULL, MIME_MULTIPART },
	{ "message", "rfc822", MIME_MESSAGE },
	{ "message", "news", MIME_MESSAGE },
	{ "message", "partial", MIME_SEALED },	     /* RFC 2046 sec. 5.2.2: always 7bit */
	{ "message", "external-body", MIME_SEALED }, /* sec. 5.2.3: always 7bit */
	{ "message", "delivery-status", MIME_TEXT },
	{ "message", "disposition-notification", MIME_TEXT },
	{ "message", "feedback-report", MIME_TEXT },
	{ "text", NULL, MIME_TEXT },
};

static enum mime_kind find_kind(struct str type, struct str subtype)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (str_ieq(type, str_c(kinds[i].type)) &&
			(kinds[i].subtype == NULL || str_ieq(subtype, str_c(kinds[i].subtype))))
			return kinds[i].kind;
	return MIME_OTHER; /* message/global and unknown messages too: RFC 6532 sec. 3.7, RFC 2046 sec. 5.2.4 */
}

/* "type/subtype" off *value, also with blanks or comments beside the slash (RFC 822 sec. 3.1.4). */
static bool take_type(struct str *value, struct str *type, struct str *subtype)
{
	struct str word;
	ptrdiff_t slash;

	if (next_item(value, &word) != 'a')
		return false;
	slash = str_chr(word, '/');
	*type = slash < 0 ? word : str_sub(word, 0, (size_t)slash);
	if (slash < 0) {
		if (next_item(value, &word) != 'a' || word.p[0] != '/')
			return false;
		slash = 0;
	}
	*subtype = str_from(word, (size_t)slash + 1);
	return type->n > 0 && (subtype->n > 0 || next_item(value, subtype) == 'a');
}

enum mime_kind mime_kind_of(struct str value, char *boundary, size_t *n)
{
	struct str type, subtype;
	enum mime_kind kind;

	*n = 0;
	if (!take_type(&value, &type, &subtype))
		return MIME_TEXT;
	kind = find_kind(type, subtype);
	if (kind != MIME_MULTIPART && kind != MIME_DIGEST)
		return kind;
	*n = find_boundary(value, boundary);
	return *n > 0 ? kind : MIME_SEALED;
}

enum mime_cte mime_cte_of(struct str value)
{
	static const char *const names[] = { [CTE_7BIT] = "7bit",
		[CTE_8BIT] = "8bit",
		[CTE_BINARY] = "binary",
		[CTE_QP] = "quoted-printable",
		[CTE_BASE64] = "base64" };
	struct str word;

	if (next_item(&value, &word) == 0)
		return CTE_7BIT;
	for (int i = CTE_7BIT; i < CTE_UNKNOWN; i++)
		if (str_ieq(word, str_c(names[i])))
			return (enum mime_cte)i;
	return CTE_UNKNOWN;
}
