#include "map/map_text.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == '\n';
}

static struct str trim_end(struct str s)
{
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static struct str trim_start(struct str s)
{
	while (s.n && is_blank(s.p[0]))
		s = str_from(s, 1);
	return s;
}

void map_lines_begin(struct map_lines *l, struct str text)
{
	*l = (struct map_lines){ .rest = text, .next = 1, .joined = BUF_SECRET((size_t)1 << 28) };
}

void map_lines_end(struct map_lines *l)
{
	buf_wipe(&l->joined);
}

/* One physical line without its LF. */
static struct str take_line(struct map_lines *l)
{
	ptrdiff_t lf = str_chr(l->rest, '\n');
	struct str line = lf < 0 ? l->rest : str_sub(l->rest, 0, (size_t)lf);

	l->rest = lf < 0 ? str_from(l->rest, l->rest.n) : str_from(l->rest, (size_t)lf + 1);
	l->next++;
	return line;
}

static bool is_comment(struct str line)
{
	struct str s = trim_start(line);

	return s.n == 0 || s.p[0] == '#';
}

bool map_lines_next(struct map_lines *l, struct str *out)
{
	struct str first = { "", 0 };
	bool many = false;

	while (l->rest.n && first.n == 0) {
		l->line = l->next;
		first = take_line(l);
		if (is_comment(first))
			first.n = 0;
	}
	while (l->rest.n) {
		struct map_lines here = *l;
		struct str line = take_line(l);

		if (is_comment(line))
			continue;
		if (!is_blank(line.p[0])) {
			*l = here;
			break;
		}
		if (!many) {
			buf_reset(&l->joined);
			buf_add_str(&l->joined, first);
		}
		many = true;
		buf_add_str(&l->joined, line);
	}
	*out = trim_end(many ? buf_str(&l->joined) : first);
	return out->n > 0;
}

/* Octets of the key at the start of s, up to `end` (a blank counts too) outside of quotation marks; *open: not closed. */
static size_t key_length(struct str s, char end, bool *open)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\') {
			if (i + 1 < s.n)
				i++;
		} else if (s.p[i] == '"') {
			quoted = !quoted;
		} else if (!quoted && (is_blank(s.p[i]) || s.p[i] == end)) {
			break;
		}
	}
	*open = quoted;
	return i;
}

/* An alias name is a local part: the marks around it are no part of it (aliases(5)). */
static struct str unquote(struct str key, struct buf *scratch)
{
	if (str_chr(key, '"') < 0)
		return key;
	buf_reset(scratch);
	for (size_t i = 0; i < key.n; i++) {
		if (key.p[i] == '"')
			continue;
		if (key.p[i] == '\\' && i + 1 < key.n)
			i++;
		buf_add_char(scratch, key.p[i]);
	}
	return buf_str(scratch);
}

enum map_entry map_entry_parse(struct str line, bool aliases, struct buf *scratch, struct str *key, struct str *value)
{
	bool open, colon = false;
	size_t n;

	line = trim_start(line);
	n = key_length(line, aliases ? ':' : '\0', &open);
	*key = str_sub(line, 0, n);
	*value = trim_end(trim_start(str_from(line, n)));
	if (open)
		return MAP_ENTRY_QUOTE;
	if (key->n > 1 && key->p[key->n - 1] == ':') {
		key->n--;
		colon = true;
	} else if (value->n && value->p[0] == ':' && (aliases || value->n == 1 || is_blank(value->p[1]))) {
		*value = trim_start(str_from(*value, 1));
		colon = true;
	}
	if (aliases && !colon)
		return MAP_ENTRY_EMPTY;
	if (aliases)
		*key = unquote(*key, scratch);
	if (key->n == 0 || value->n == 0)
		return MAP_ENTRY_EMPTY;
	return colon ? MAP_ENTRY_COLON : MAP_ENTRY;
}

bool map_word(struct str *rest, struct str *word)
{
	unsigned depth = 0;
	size_t i;

	while (rest->n && (is_blank(rest->p[0]) || rest->p[0] == ','))
		*rest = str_from(*rest, 1);
	for (i = 0; i < rest->n; i++) {
		char c = rest->p[i];

		if (c == '{')
			depth++;
		else if (c == '}' && depth)
			depth--;
		else if (!depth && (is_blank(c) || c == ','))
			break;
	}
	*word = str_sub(*rest, 0, i);
	*rest = str_from(*rest, i);
	return i > 0;
}

struct str map_unbrace(struct str word)
{
	word = trim_end(trim_start(word));
	if (word.n >= 2 && word.p[0] == '{' && word.p[word.n - 1] == '}')
		word = trim_end(trim_start(str_sub(word, 1, word.n - 2)));
	return word;
}

bool map_setting_parse(struct str line, struct str *name, struct str *value)
{
	ptrdiff_t eq = str_chr(line, '=');

	if (eq <= 0)
		return false;
	*name = trim_end(trim_start(str_sub(line, 0, (size_t)eq)));
	*value = trim_end(trim_start(str_from(line, (size_t)eq + 1)));
	return name->n > 0;
}

/* Octets up to the next of `ends` outside of quotation marks. */
static size_t span_until(struct str s, const char *ends)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && s.p[i] != '\0' && strchr(ends, s.p[i]))
			break;
	}
	return i < s.n ? i : s.n;
}

/* "Name <a@b>" up to the comma: what stands in the brackets. None: nothing up to there is looked at for it again. */
static bool take_bracketed(struct map_addresses *l, struct str *address)
{
	size_t n = span_until(l->rest, ",");
	struct str part = str_sub(l->rest, 0, n);
	size_t from = span_until(part, "<"), to = part.n;

	if (from < part.n)
		to = from + span_until(str_from(part, from), ">");
	if (to >= part.n) {
		l->n_plain = part.n;
		return false;
	}
	*address = str_trim(str_sub(part, from + 1, to - from - 1));
	l->rest = str_from(l->rest, n);
	return true;
}

static void skip(struct map_addresses *l, size_t n)
{
	l->rest = str_from(l->rest, n);
	l->n_plain -= n < l->n_plain ? n : l->n_plain;
}

bool map_address_next(struct map_addresses *l, struct str *address)
{
	size_t n;

	for (;;) {
		while (l->rest.n && (is_blank(l->rest.p[0]) || l->rest.p[0] == ','))
			skip(l, 1);
		if (l->rest.n == 0)
			return false;
		if (l->n_plain == 0 && take_bracketed(l, address)) {
			if (address->n)
				return true;
			continue;
		}
		n = span_until(l->rest, ", \t\r\n\v\f");
		*address = str_sub(l->rest, 0, n);
		skip(l, n);
		return true;
	}
}
