#include "ctl/header_addr.h"

/* Octets of the token at the beginning: a quoted string, a comment (they nest), a domain literal, or one octet. */
static size_t token(struct str s)
{
	char open = s.p[0], close = open == '"' ? '"' : open == '(' ? ')' : open == '[' ? ']' : '\0';
	unsigned depth = 1;
	size_t i = 1;

	if (close == '\0')
		return open == '\\' && s.n > 1 ? 2 : 1;
	for (; i < s.n && depth > 0; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == close)
			depth--;
		else if (s.p[i] == '(' && open == '(')
			depth++;
	}
	return i < s.n ? i : s.n;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What stands in angle brackets; *used: with the closing one. A route before the address is dropped (sec. 4.4). */
static struct str in_brackets(struct str s, size_t *used)
{
	size_t i = 1, from = 1;

	while (i < s.n && s.p[i] != '>') {
		if (s.p[i] == ':' && from == 1 && s.p[1] == '@')
			from = i + 1;
		i += token(str_from(s, i));
	}
	*used = i < s.n ? i + 1 : s.n;
	return str_trim(str_sub(s, from, (i < s.n ? i : s.n) - from));
}

/* Does what begins here belong to the name of an address in angle brackets, or of a group? */
static bool is_name(struct str s)
{
	enum { LOOK_AHEAD = 1000 };

	for (size_t i = 0; i < s.n && i < LOOK_AHEAD && s.p[i] != ',' && s.p[i] != ';'; i += token(str_from(s, i)))
		if (s.p[i] == '<' || s.p[i] == ':')
			return true;
	return false;
}

/* "a@x.example b@y.example": the comma was forgotten. at: of an octet behind a blank; last: what is before that. */
static bool is_next(struct str s, size_t at, char last)
{
	return s.p[at] != '@' && s.p[at] != '.' && last != '@' && last != '.' && !is_name(str_from(s, at));
}

/* As header_addr_next(), but for "<>", which is an address of no octets. */
static void next_or_none(struct str *rest, struct str *addr)
{
	size_t i = 0, from = 0, to = 0, n;
	bool in_angles = false, any = false, has_domain = false;
	struct str s = *rest;

	while (i < s.n) {
		char c = s.p[i];

		n = token(str_from(s, i));
		if (c == ',' || c == ';') {
			i++;
			if (in_angles || any)
				break;
			continue;
		}
		if (c == ':' && !in_angles) { /* all before it was the name of a group */
			any = has_domain = false;
		} else if (c == '<' && !in_angles) {
			*addr = in_brackets(str_from(s, i), &n);
			in_angles = true;
		} else if (!is_blank(c) && c != '(' && !in_angles) {
			if (any && has_domain && to < i && is_next(s, i, s.p[to - 1]))
				break;
			has_domain |= c == '@';
			from = any ? from : i;
			to = i + n;
			any = true;
		}
		i += n;
	}
	*rest = str_from(s, i);
	if (!in_angles)
		*addr = any ? str_sub(s, from, to - from) : STR("");
}

bool header_addr_next(struct str *rest, struct str *addr)
{
	*addr = STR("");
	while (rest->n && addr->n == 0)
		next_or_none(rest, addr);
	return addr->n > 0;
}

void header_addr_clean(struct str addr, struct buf *out)
{
	for (size_t i = 0, n; i < addr.n; i += n) {
		n = token(str_from(addr, i));
		if (addr.p[i] != '(' && !is_blank(addr.p[i]))
			buf_add(out, addr.p + i, n);
	}
}

bool header_addr_has_domain(struct str addr)
{
	for (size_t i = 0; i < addr.n; i += token(str_from(addr, i)))
		if (addr.p[i] == '@' || addr.p[i] == '!')
			return true;
	return false;
}

bool header_addr_has_8bit(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}

void header_addr_bare(const char *text, struct buf *out)
{
	struct str rest = str_c(text), addr;

	if (header_addr_next(&rest, &addr))
		header_addr_clean(addr, out);
}
