#include "smtp/command.h"

static const struct {
	const char *word;
	enum smtp_verb verb;
} verbs[] = {
	{ "EHLO", VERB_EHLO }, /* RFC 5321 sec. 4.1.1.1 */
	{ "HELO", VERB_HELO },
	{ "LHLO", VERB_LHLO },	       /* RFC 2033 sec. 4.1 */
	{ "MAIL", VERB_MAIL },	       /* RFC 5321 sec. 4.1.1.2 */
	{ "RCPT", VERB_RCPT },	       /* sec. 4.1.1.3 */
	{ "DATA", VERB_DATA },	       /* sec. 4.1.1.4 */
	{ "BDAT", VERB_BDAT },	       /* RFC 3030 sec. 2 */
	{ "RSET", VERB_RSET },	       /* RFC 5321 sec. 4.1.1.5 */
	{ "NOOP", VERB_NOOP },	       /* sec. 4.1.1.9 */
	{ "QUIT", VERB_QUIT },	       /* sec. 4.1.1.10 */
	{ "VRFY", VERB_VRFY },	       /* sec. 4.1.1.6 */
	{ "EXPN", VERB_EXPN },	       /* sec. 4.1.1.7 */
	{ "HELP", VERB_HELP },	       /* sec. 4.1.1.8 */
	{ "ETRN", VERB_ETRN },	       /* RFC 1985 */
	{ "AUTH", VERB_AUTH },	       /* RFC 4954 sec. 4 */
	{ "STARTTLS", VERB_STARTTLS }, /* RFC 3207 sec. 4 */
	{ "XCLIENT", VERB_XCLIENT },
	{ "XFORWARD", VERB_XFORWARD },
};

/* What is wrong inside a line that ended, given without its LF. Sets *line on 1. */
static int judge_line(struct str text, bool take_lf, struct str *line)
{
	bool crlf = text.n && text.p[text.n - 1] == '\r';

	if (!crlf && !take_lf)
		return -SMTP_ELF;
	if (str_chr(text, '\0') >= 0)
		return -SMTP_ENUL;
	text.n -= crlf;
	if (str_chr(text, '\r') >= 0)
		return -SMTP_EBARE;
	*line = text;
	return 1;
}

/* Drop what belongs to an overlong line. Returns how many octets of `in` that is. */
static size_t skip_line(struct smtp_line_reader *r, struct str in)
{
	size_t n = 0;

	while (r->skipping && n < in.n) {
		ptrdiff_t lf = str_chr(str_from(in, n), '\n');
		size_t end = lf < 0 ? in.n : n + (size_t)lf;
		bool cr = end > n ? in.p[end - 1] == '\r' : r->skipped_cr;

		r->skipped_cr = lf < 0 && cr;
		r->skipping = lf < 0 || !(cr || r->take_lf); /* an LF alone ends it no more than another line */
		n = end + (lf >= 0);
	}
	return n;
}

int smtp_line_next(struct smtp_line_reader *r, struct str in, size_t max, size_t *used, struct str *line)
{
	struct str rest;
	ptrdiff_t lf;

	*line = (struct str){ 0 };
	*used = skip_line(r, in);
	rest = str_from(in, *used);
	lf = str_chr(str_sub(rest, 0, max), '\n');
	if (lf < 0 && rest.n < max)
		return 0;
	if (lf < 0) {
		r->skipping = true;
		r->skipped_cr = false;
		*used += skip_line(r, rest);
		return -SMTP_ELONG;
	}
	*used += (size_t)lf + 1;
	return judge_line(str_sub(rest, 0, (size_t)lf), r->take_lf, line);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct str trim_blanks(struct str s)
{
	while (s.n && is_blank(s.p[0]))
		s = str_from(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

void smtp_command_parse(struct str line, struct smtp_command *cmd)
{
	size_t end = 0;

	*cmd = (struct smtp_command){ .verb = VERB_NONE };
	while (end < line.n && !is_blank(line.p[end]))
		end++;
	cmd->word = str_sub(line, 0, end);
	cmd->arg = trim_blanks(str_from(line, end));
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (str_ieq(cmd->word, str_c(verbs[i].word)))
			cmd->verb = verbs[i].verb;
}

/* Position of the first octet of `stops` (or of the end) outside a quoted string; -1: a quoted string has no end. */
static ptrdiff_t find_unquoted(struct str s, const char *stops)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (quoted && s.p[i] == '\\')
			i++;
		else if (!quoted && strchr(stops, s.p[i]))
			return (ptrdiff_t)i;
	}
	return quoted ? -1 : (ptrdiff_t)s.n;
}

/* Cut "@a,@b:" off the front (RFC 5321 appendix C: accepted and ignored). -1: it does not end. */
static int cut_source_route(struct str *path)
{
	bool literal = false;

	if (path->n == 0 || path->p[0] != '@')
		return 0;
	for (size_t i = 0; i < path->n; i++) {
		if (path->p[i] == '[')
			literal = true;
		else if (path->p[i] == ']')
			literal = false;
		else if (path->p[i] == ':' && !literal) {
			*path = str_from(*path, i + 1);
			return path->n ? 0 : -1;
		}
	}
	return -1;
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
			return true;
	return false;
}

int smtp_path_parse(struct str arg, struct str prefix, struct smtp_path_arg *out)
{
	struct str rest;
	ptrdiff_t end;

	*out = (struct smtp_path_arg){ 0 };
	if (!str_has_iprefix(arg, prefix))
		return -1;
	rest = trim_blanks(str_from(arg, prefix.n));
	if (rest.n == 0)
		return -1;
	out->bracketed = rest.p[0] == '<';
	if (out->bracketed)
		rest = str_from(rest, 1);
	end = find_unquoted(rest, out->bracketed ? "<>" : " \t<>");
	if (end < 0 || has_control(str_sub(rest, 0, (size_t)end)))
		return -1;
	out->path = str_sub(rest, 0, (size_t)end);
	rest = str_from(rest, (size_t)end);
	if (out->bracketed) {
		if (rest.n == 0 || rest.p[0] != '>')
			return -1;
		rest = str_from(rest, 1);
	}
	if (rest.n && !is_blank(rest.p[0]))
		return -1;
	out->params = trim_blanks(rest);
	return cut_source_route(&out->path);
}

/* esmtp-keyword (RFC 5321 sec. 4.1.2) */
static bool is_keyword(struct str key)
{
	if (key.n == 0 || !ascii_is_alnum(key.p[0]))
		return false;
	for (size_t i = 1; i < key.n; i++)
		if (!ascii_is_alnum(key.p[i]) && key.p[i] != '-')
			return false;
	return true;
}

/* esmtp-value (RFC 5321 sec. 4.1.2; octets over 127: RFC 6531 sec. 3.3, each parameter's own check decides) */
static bool is_value(struct str value)
{
	if (value.n == 0)
		return false;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == '=' || (!ascii_is_graph(value.p[i]) && (unsigned char)value.p[i] < 128))
			return false;
	return true;
}

int smtp_param_next(struct str *params, struct str *key, struct str *value)
{
	struct str word;
	ptrdiff_t eq;

	*key = *value = (struct str){ 0 };
	if (!str_word(params, " \t", &word))
		return 0;
	eq = str_chr(word, '=');
	*key = eq < 0 ? word : str_sub(word, 0, (size_t)eq);
	if (eq >= 0) {
		*value = str_from(word, (size_t)eq + 1);
		if (!is_value(*value))
			return -1;
	}
	return is_keyword(*key) ? 1 : -1;
}

/* hexchar of RFC 3461 sec. 4: capital letters only. */
static int hex_digit(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int xtext_decode(struct str x, char *out, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < x.n; i++) {
		int c = (unsigned char)x.p[i];

		if (c == '=' || !ascii_is_graph(x.p[i]))
			return -1;
		if (c == '+') {
			int high = i + 2 < x.n ? hex_digit(x.p[i + 1]) : -1;
			int low = i + 2 < x.n ? hex_digit(x.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -1;
			c = high * 16 + low;
			if (c < 32 || c == 127)
				return -1;
			i += 2;
		}
		out[(*n)++] = (char)c;
	}
	return 0;
}

void xtext_encode(struct buf *out, struct str plain)
{
	for (size_t i = 0; i < plain.n; i++) {
		char c = plain.p[i];

		if (ascii_is_graph(c) && c != '+' && c != '=')
			buf_add_char(out, c);
		else
			buf_addf(out, "+%02X", (unsigned char)c);
	}
}
