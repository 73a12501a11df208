#include "conf/dovecot_impl.h"

#include <errno.h>
#include <glob.h>

enum { NODES_MAX = 100000 };

static struct dovecot_node *add_node(struct dovecot_reader *r, struct str key)
{
	struct dovecot_node *n = arena_alloc(r->conf->mem, sizeof *n);

	n->key = arena_cdup(r->conf->mem, key);
	n->value = "";
	n->file = r->file;
	n->line = r->line;
	*r->stack[r->level] = n;
	r->stack[r->level] = &n->next;
	return n;
}

static void include_file(struct dovecot_reader *r, const char *path, bool is_try)
{
	struct buf content = BUF_INIT(DOVECOT_FILE_MAX);
	const char *file = r->file;
	unsigned line = r->line;
	int error = dovecot_read_file(path, &content);

	if (error && !(is_try && (error == ENOENT || error == EACCES)))
		dovecot_complain(r, "cannot read %s: %s", path, error == EINVAL ? "not a plain file" : strerror(error));
	if (error == 0) {
		r->depth++;
		r->file = path;
		dovecot_parse_lines(r, arena_dup(r->conf->mem, buf_str(&content)));
		r->depth--;
	}
	r->file = file;
	r->line = line;
	buf_wipe(&content);
}

static void include(struct dovecot_reader *r, struct str pattern, bool is_try)
{
	const char *path = dovecot_beside(r, pattern);
	glob_t found = { 0 };
	int e;

	if (r->depth + 1 >= DOVECOT_DEPTH_MAX) {
		dovecot_complain(
			r, "!include is nested more than %d deep; does a file include itself?", DOVECOT_DEPTH_MAX);
		return;
	}
	if (strpbrk(path, "*?[") == NULL) {
		include_file(r, path, is_try);
		return;
	}
	e = glob(path, 0, NULL, &found);
	if (e != 0 && e != GLOB_NOMATCH && !is_try)
		dovecot_complain(r, "cannot search for %s", path);
	for (size_t i = 0; e == 0 && i < found.gl_pathc; i++)
		include_file(r, arena_cdup(r->conf->mem, str_c(found.gl_pathv[i])), is_try);
	globfree(&found);
}

static struct str without_quotes(struct str s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		return str_sub(s, 1, s.n - 2);
	return s;
}

/*
 * A passdb or userdb with a name that there is already: 2.4 lays its words over the first one's (2.3 does not take it), where a
 * second block would be a second database. NULL: it is a new one.
 */
static struct dovecot_node *same_block(struct dovecot_reader *r, struct str key, struct str name)
{
	struct dovecot_node *n = r->level ? r->open[r->level]->child : r->conf->first;

	if (name.n == 0 || !(str_eq(key, STR("passdb")) || str_eq(key, STR("userdb"))))
		return NULL;
	while (n && !(n->name && str_eq(str_c(n->key), key) && str_eq(str_c(n->name), name)))
		n = n->next;
	return n;
}

static void open_section(struct dovecot_reader *r, struct str head)
{
	struct str key, name;
	struct dovecot_node *n, **end;

	if (!str_word(&head, " \t", &key)) {
		dovecot_complain(r, "\"{\" without the name of a section");
		key = STR("?");
	}
	name = without_quotes(str_trim(head));
	n = same_block(r, key, name);
	if (n == NULL) {
		n = add_node(r, key);
		n->name = arena_cdup(r->conf->mem, name);
	}
	if (r->level + 1 == DOVECOT_DEPTH_MAX) {
		dovecot_complain(r, "sections are nested more than %d deep", DOVECOT_DEPTH_MAX);
		return;
	}
	r->level++;
	r->open[r->level] = n;
	for (end = &n->child; *end; end = &(*end)->next)
		;
	r->stack[r->level] = end;
}

static void close_section(struct dovecot_reader *r)
{
	struct dovecot_node *closed = r->open[r->level];

	if (r->level == 0) {
		dovecot_complain(r, "\"}\" closes nothing; a section begins with \"name {\"");
		return;
	}
	r->level--;
	if (closed->next == NULL) /* not a block that stood further up */
		r->stack[r->level] =
			&dovecot_fold(r, r->level ? r->open[r->level]->child : r->conf->first, closed)->next;
}

static void statement(struct dovecot_reader *r, struct str s)
{
	ptrdiff_t eq = str_chr(s, '=');
	struct str key = str_trim(str_sub(s, 0, eq < 0 ? 0 : (size_t)eq));

	if (eq < 0 || key.n == 0) {
		dovecot_complain(r, "\"%.*s\" is no setting; it should be \"name = value\" or \"section {\"",
			(int)(s.n > 40 ? 40 : s.n), s.p);
		return;
	}
	add_node(r, key)->value = arena_cdup(r->conf->mem, dovecot_resolve(r, str_trim(str_from(s, (size_t)eq + 1))));
}

/* Octets of the %{variable} (with modifiers in between) at the start of s; 0: there is none. */
static size_t variable_length(struct str s)
{
	size_t i = 1;
	ptrdiff_t end;

	while (i < s.n && ascii_is_alnum(s.p[i]))
		i++;
	if (s.p[0] != '%' || i == s.n || s.p[i] != '{')
		return 0;
	end = str_chr(s, '}');
	return end < 0 ? 0 : (size_t)end + 1;
}

/* Position of the first of `set` outside of quotes and %{variables}, or -1. */
static ptrdiff_t find_bare(struct str s, const char *set)
{
	char quote = 0;
	size_t skip;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (quote && c == '\\')
			i++;
		else if (quote)
			quote = c == quote ? 0 : quote;
		else if (strchr(set, c) && c)
			return (ptrdiff_t)i;
		else if (c == '"')
			quote = c;
		else if (c == '%' && (skip = variable_length(str_from(s, i))) > 0)
			i += skip - 1;
	}
	return -1;
}

static bool directive(struct dovecot_reader *r, struct str s)
{
	struct str word;

	if (r->flat || s.p[0] != '!')
		return false;
	str_word(&s, " \t", &word);
	if (str_eq(word, STR("!include")) || str_eq(word, STR("!include_try")))
		include(r, without_quotes(str_trim(s)), word.n > 8);
	else
		dovecot_complain(r, "\"%.*s\" is unknown; there are !include and !include_try", STR_ARG(word));
	return true;
}

/* One logical line, without comment. "a { b = c }" may hold several statements. */
static void logical_line(struct dovecot_reader *r, struct str s)
{
	s = str_trim(s);
	if (++r->nodes > NODES_MAX) {
		if (r->nodes == NODES_MAX + 1)
			dovecot_complain(r, "more than %d lines", NODES_MAX);
		return;
	}
	if (s.n == 0 || directive(r, s))
		return;
	while (!r->flat && (s = str_trim(s)).n) {
		ptrdiff_t eq = str_chr(s, '='), brace = find_bare(s, "{}");

		if (brace >= 0 && (eq < 0 || brace < eq)) {
			if (s.p[brace] == '{')
				open_section(r, str_sub(s, 0, (size_t)brace));
			else if (str_trim(str_sub(s, 0, (size_t)brace)).n)
				statement(r, str_sub(s, 0, (size_t)brace));
			if (s.p[brace] == '}')
				close_section(r);
			s = str_from(s, (size_t)brace + 1);
			continue;
		}
		/* "key = value }": only a brace that stands alone closes. */
		if (brace >= 0 && s.p[brace] == '}' && r->level && (s.p[brace - 1] == ' ' || s.p[brace - 1] == '\t')) {
			statement(r, str_sub(s, 0, (size_t)brace));
			close_section(r);
			s = str_from(s, (size_t)brace + 1);
			continue;
		}
		break;
	}
	if (s.n)
		statement(r, s);
}

/*
 * In a file of queries and passwords both kinds of quotes hold a "#", to the line on which they end. Dovecot takes one for a comment
 * behind any octet; here one within a word, as of a password, stays.
 */
static struct str without_flat_comment(struct str s, char *quote)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (*quote && c == '\\')
			i++;
		else if (*quote)
			*quote = c == *quote ? 0 : *quote;
		else if (c == '\'' || c == '"')
			*quote = c;
		else if (c == '#' && i && (s.p[i - 1] == ' ' || s.p[i - 1] == '\t'))
			return str_sub(s, 0, i);
	}
	return s;
}

/* A "#" begins a comment at the start of a line and after a blank, outside of quotes. *quote: one that a line before opened. */
static struct str without_comment(const struct dovecot_reader *r, struct str s, char *quote)
{
	struct str rest = str_trim(s);
	size_t from = 0;
	ptrdiff_t at;

	if (rest.n && rest.p[0] == '#' && *quote == 0)
		return STR("");
	if (r->flat)
		return without_flat_comment(s, quote);
	while ((at = find_bare(str_from(s, from), "#")) >= 0) {
		size_t i = from + (size_t)at;

		if (i == 0 || s.p[i - 1] == ' ' || s.p[i - 1] == '\t')
			return str_sub(s, 0, i);
		from = i + 1;
	}
	return s;
}

/* An operator of PostgreSQL ("#>", "#>>", "#-", "#=") or a variable, behind a value: hardly somebody's comment. */
static void look_at_comment(struct dovecot_reader *r, struct str s)
{
	bool is_operator = s.n > 1 && strchr(">=-", s.p[1]) && s.p[1] && !str_has_prefix(s, STR("#--"));
	bool has_variable = false;

	for (size_t i = 0; i + 1 < s.n; i++)
		has_variable |= s.p[i] == '%' && (s.p[i + 1] == '{' || ascii_is_alpha(s.p[i + 1]));
	if (is_operator || has_variable)
		dovecot_warn(r,
			"the \"#\" begins a comment, as for Dovecot, and what follows it is not read; without a blank "
			"before it, or in quotes, it would be");
}

/* "key = <<END" (2.4): the value is what follows, up to a line that is END alone. */
static bool heredoc_begins(const struct dovecot_reader *r, struct str s, struct str *key, struct str *end)
{
	ptrdiff_t eq = str_chr(s, '=');
	size_t i = 0;

	*key = str_trim(str_sub(s, 0, eq < 0 ? 0 : (size_t)eq));
	*end = str_trim(str_from(s, (size_t)(eq + 1)));
	if (r->flat || key->n == 0 || !str_has_prefix(*end, STR("<<")))
		return false;
	*end = str_from(*end, 2);
	while (i < end->n && (ascii_is_alnum(end->p[i]) || end->p[i] == '_'))
		i++;
	return end->n && i == end->n;
}

/* Returns how many lines it took. */
static unsigned heredoc(struct dovecot_reader *r, struct str key, struct str end, struct str *rest)
{
	struct dovecot_node *n = add_node(r, key);
	struct buf value = BUF_INIT(DOVECOT_FILE_MAX);
	struct str line;
	unsigned lines = 0;
	bool ended = false;

	while (!ended && rest->n && str_field(rest, "\n", &line)) {
		lines++;
		ended = str_eq(str_trim(line), end);
		if (!ended && str_chr(line, '\0') < 0) {
			buf_add_str(&value, line);
			buf_add_char(&value, '\n');
		}
	}
	if (!ended)
		dovecot_complain(r, "the value of %s has no end; a line \"%.*s\" is missing", n->key, STR_ARG(end));
	n->value = arena_cdup(r->conf->mem, buf_str(&value));
	buf_wipe(&value);
	return lines;
}

void dovecot_parse_lines(struct dovecot_reader *r, struct str text)
{
	struct buf joined = BUF_INIT(DOVECOT_VALUE_MAX);
	struct str rest = text, line, key, end;
	unsigned number = 0, begun = 0, level = r->level;
	char quote = 0;

	while (rest.n && str_field(&rest, "\n", &line)) {
		struct str whole = line;
		bool more;

		number++;
		r->line = joined.n ? begun : number;
		if (str_chr(line, '\0') >= 0) {
			dovecot_complain(r, "the line has a NUL");
			continue;
		}
		line = without_comment(r, line, &quote);
		if (line.n && line.n < whole.n)
			look_at_comment(r, str_from(whole, line.n));
		while (line.n && strchr(" \t\r", line.p[line.n - 1]))
			line.n--; /* what cannot be seen behind a "\" as well */
		more = line.n && line.p[line.n - 1] == '\\';
		if (joined.n == 0)
			begun = number;
		if (joined.n)
			while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
				line = str_from(line, 1);
		if (buf_add(&joined, line.p, line.n - more) < 0 || (more && buf_add_char(&joined, ' ') < 0))
			dovecot_complain(r, "the line is longer than 65536 octets");
		if (more && rest.n)
			continue;
		r->line = begun;
		quote = 0;
		if (heredoc_begins(r, buf_str(&joined), &key, &end))
			number += heredoc(r, key, end, &rest);
		else
			logical_line(r, buf_str(&joined));
		buf_reset(&joined);
	}
	r->line = number;
	if (r->level > level && r->level)
		dovecot_complain(r, "the section \"%s\" of line %u is not closed; \"}\" is missing",
			r->open[r->level]->key, r->open[r->level]->line);
	r->level = level < r->level ? level : r->level;
	buf_wipe(&joined);
}
