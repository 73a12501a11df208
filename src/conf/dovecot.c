#include "conf/dovecot.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 4 * 1024 * 1024, DEPTH_MAX = 16, NODES_MAX = 100000, VALUE_MAX = 65536 };

struct reader {
	struct dovecot_conf *conf;
	struct buf *errors;
	bool flat;
	unsigned depth, nodes; /* of includes; nodes so far */
	const char *file;
	unsigned line;
	struct dovecot_node **stack[DEPTH_MAX]; /* where the next node of each open section goes */
	struct dovecot_node *open[DEPTH_MAX];
	unsigned level;
};

static void complain(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct reader *r, const char *fmt, ...)
{
	va_list ap;

	if (r->errors == NULL)
		return;
	buf_addf(r->errors, "%s, line %u: ", r->file, r->line);
	va_start(ap, fmt);
	buf_vaddf(r->errors, fmt, ap);
	va_end(ap);
	buf_add_char(r->errors, '\n');
}

static struct dovecot_node *add_node(struct reader *r, struct str key)
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

/* 0, or an errno. A file of more than 4 MiB, or no plain one, is EFBIG or EINVAL. */
static int read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return errno;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		error = EINVAL;
	while (error == 0) {
		char *p = buf_reserve(out, 16384);

		if (p == NULL) {
			error = EFBIG;
			break;
		}
		n = read(fd, p, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			error = errno;
		if (n <= 0)
			break;
		buf_commit(out, (size_t)n);
	}
	close(fd);
	return error;
}

static const char *beside(struct reader *r, struct str path)
{
	ptrdiff_t slash = str_rchr(str_c(r->file), '/');

	if ((path.n && path.p[0] == '/') || slash < 0)
		return arena_cdup(r->conf->mem, path);
	return arena_printf(r->conf->mem, "%.*s%.*s", (int)slash + 1, r->file, STR_ARG(path));
}

/* ---- values ---- */

static struct str unquote(struct reader *r, struct str v)
{
	char *p = arena_alloc(r->conf->mem, v.n + 1);
	size_t n = 0;

	for (size_t i = 1; i + 1 < v.n; i++) {
		if (v.p[i] == '\\' && i + 2 < v.n)
			i++;
		p[n++] = v.p[i];
	}
	return str_pn(p, n);
}

/* Earlier value of a key: in this section, then in the sections around it. */
static const char *earlier(struct reader *r, struct str key)
{
	const struct dovecot_node *found = NULL;

	for (unsigned level = r->level + 1; level-- > 0 && found == NULL;) {
		const struct dovecot_node *list = level ? r->open[level]->child : r->conf->first;

		for (; list; list = list->next)
			if (list->name == NULL && str_eq(str_c(list->key), key))
				found = list;
	}
	return found ? found->value : NULL;
}

static struct str substitute(struct reader *r, struct str v)
{
	struct buf out = BUF_INIT(VALUE_MAX);
	struct str result;
	bool fits = true;

	for (size_t i = 0; i < v.n && fits; i++) {
		struct str key = str_from(v, i + 1);
		const char *found;
		size_t n = 0;

		while (n < key.n && (ascii_is_alnum(key.p[n]) || key.p[n] == '_'))
			n++;
		found = v.p[i] == '$' && n ? earlier(r, str_sub(key, 0, n)) : NULL;
		if (found)
			i += n;
		fits = (found ? buf_add_c(&out, found) : buf_add_char(&out, v.p[i])) == 0;
	}
	if (!fits)
		complain(r, "the value grows over 65536 octets");
	result = arena_dup(r->conf->mem, buf_str(&out));
	buf_wipe(&out);
	return result;
}

static struct str from_file(struct reader *r, struct str v)
{
	struct buf content = BUF_INIT(FILE_MAX);
	const char *path = beside(r, str_trim(str_from(v, 1)));
	int error = read_file(path, &content);
	struct str result = { 0 };

	/* Keys and certificates of other services are named in this way, and often not for our eyes. */
	if (error == 0 && str_chr(buf_str(&content), '\0') < 0)
		result = arena_dup(r->conf->mem, buf_str(&content));
	else
		result = arena_dup(r->conf->mem, v);
	buf_wipe(&content);
	return result;
}

static struct str read_value(struct reader *r, struct str v)
{
	bool quoted = v.n >= 2 && (v.p[0] == '"' || v.p[0] == '\'') && v.p[v.n - 1] == v.p[0];

	if (quoted)
		return unquote(r, v);
	if (r->flat)
		return v;
	if (v.n && v.p[0] == '<')
		return from_file(r, v);
	return str_chr(v, '$') >= 0 ? substitute(r, v) : v;
}

/* ---- lines ---- */

static void parse_text(struct reader *r, struct str text);

static void include_file(struct reader *r, const char *path, bool is_try)
{
	struct buf content = BUF_INIT(FILE_MAX);
	const char *file = r->file;
	unsigned line = r->line;
	int error = read_file(path, &content);

	if (error && !(is_try && (error == ENOENT || error == EACCES)))
		complain(r, "cannot read %s: %s", path, error == EINVAL ? "not a plain file" : strerror(error));
	if (error == 0) {
		r->depth++;
		r->file = path;
		parse_text(r, arena_dup(r->conf->mem, buf_str(&content)));
		r->depth--;
	}
	r->file = file;
	r->line = line;
	buf_wipe(&content);
}

static void include(struct reader *r, struct str pattern, bool is_try)
{
	const char *path = beside(r, pattern);
	glob_t found = { 0 };
	int e;

	if (r->depth + 1 >= DEPTH_MAX) {
		complain(r, "!include is nested more than %d deep; does a file include itself?", DEPTH_MAX);
		return;
	}
	if (strpbrk(path, "*?[") == NULL) {
		include_file(r, path, is_try);
		return;
	}
	e = glob(path, 0, NULL, &found);
	if (e != 0 && e != GLOB_NOMATCH && !is_try)
		complain(r, "cannot search for %s", path);
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

static void open_section(struct reader *r, struct str head)
{
	struct str key, name;
	struct dovecot_node *n;

	if (!str_word(&head, " \t", &key)) {
		complain(r, "\"{\" without the name of a section");
		key = STR("?");
	}
	name = without_quotes(str_trim(head));
	n = add_node(r, key);
	n->name = arena_cdup(r->conf->mem, name);
	if (r->level + 1 == DEPTH_MAX) {
		complain(r, "sections are nested more than %d deep", DEPTH_MAX);
		return;
	}
	r->level++;
	r->open[r->level] = n;
	r->stack[r->level] = &n->child;
}

static void close_section(struct reader *r)
{
	if (r->level == 0)
		complain(r, "\"}\" closes nothing; a section begins with \"name {\"");
	else
		r->level--;
}

static void statement(struct reader *r, struct str s)
{
	ptrdiff_t eq = str_chr(s, '=');
	struct str key = str_trim(str_sub(s, 0, eq < 0 ? 0 : (size_t)eq));

	if (eq < 0 || key.n == 0) {
		complain(r, "\"%.*s\" is no setting; it should be \"name = value\" or \"section {\"",
			(int)(s.n > 40 ? 40 : s.n), s.p);
		return;
	}
	add_node(r, key)->value = arena_cdup(r->conf->mem, read_value(r, str_trim(str_from(s, (size_t)eq + 1))));
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

static bool directive(struct reader *r, struct str s)
{
	struct str word;

	if (r->flat || s.p[0] != '!')
		return false;
	str_word(&s, " \t", &word);
	if (str_eq(word, STR("!include")) || str_eq(word, STR("!include_try")))
		include(r, without_quotes(str_trim(s)), word.n > 8);
	else
		complain(r, "\"%.*s\" is unknown; there are !include and !include_try", STR_ARG(word));
	return true;
}

/* One logical line, without comment. "a { b = c }" may hold several statements. */
static void logical_line(struct reader *r, struct str s)
{
	s = str_trim(s);
	if (++r->nodes > NODES_MAX) {
		if (r->nodes == NODES_MAX + 1)
			complain(r, "more than %d lines", NODES_MAX);
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

/* A "#" begins a comment at the start of a line and after a blank, outside of quotes. */
static struct str without_comment(struct reader *r, struct str s)
{
	struct str rest = str_trim(s);
	size_t from = 0;
	ptrdiff_t at;

	if (rest.n && rest.p[0] == '#')
		return STR("");
	if (r->flat)
		return s; /* there it may stand in a query or a password */
	while ((at = find_bare(str_from(s, from), "#")) >= 0) {
		size_t i = from + (size_t)at;

		if (i == 0 || s.p[i - 1] == ' ' || s.p[i - 1] == '\t')
			return str_sub(s, 0, i);
		from = i + 1;
	}
	return s;
}

static void parse_text(struct reader *r, struct str text)
{
	struct buf joined = BUF_INIT(VALUE_MAX);
	struct str rest = text, line;
	unsigned number = 0, begun = 0, level = r->level;

	while (rest.n && str_field(&rest, "\n", &line)) {
		bool more;

		number++;
		r->line = joined.n ? begun : number;
		if (str_chr(line, '\0') >= 0) {
			complain(r, "the line has a NUL");
			continue;
		}
		line = without_comment(r, line);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		more = line.n && line.p[line.n - 1] == '\\';
		if (joined.n == 0)
			begun = number;
		if (joined.n)
			while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
				line = str_from(line, 1);
		if (buf_add(&joined, line.p, line.n - more) < 0 || (more && buf_add_char(&joined, ' ') < 0))
			complain(r, "the line is longer than 65536 octets");
		if (more && rest.n)
			continue;
		r->line = begun;
		logical_line(r, buf_str(&joined));
		buf_reset(&joined);
	}
	r->line = number;
	if (r->level > level && r->level)
		complain(r, "the section \"%s\" of line %u is not closed; \"}\" is missing", r->open[r->level]->key,
			r->open[r->level]->line);
	r->level = level < r->level ? level : r->level;
	buf_wipe(&joined);
}

static struct dovecot_conf *conf_new(struct reader *r, const char *file, struct buf *errors, bool flat)
{
	struct dovecot_conf *c = xcalloc(1, sizeof *c);

	c->mem = arena_new(0);
	*r = (struct reader){ .conf = c, .errors = errors, .flat = flat, .file = arena_cdup(c->mem, str_c(file)) };
	r->stack[0] = &c->first;
	return c;
}

static struct dovecot_conf *parse(const char *file, struct str text, struct buf *errors, bool flat)
{
	struct reader r;
	struct dovecot_conf *c = conf_new(&r, file, errors, flat);

	parse_text(&r, arena_dup(c->mem, text));
	return c;
}

static struct dovecot_conf *load(const char *file, struct buf *errors, bool flat)
{
	struct buf content = BUF_INIT(FILE_MAX);
	int error = read_file(file, &content);
	struct dovecot_conf *c;

	if (error && errors)
		buf_addf(errors, "%s: cannot be read: %s\n", file,
			error == EINVAL ? "not a plain file" : strerror(error));
	c = parse(file, error ? STR("") : buf_str(&content), errors, flat);
	buf_wipe(&content);
	return c;
}

struct dovecot_conf *dovecot_load(const char *file, struct buf *errors)
{
	return load(file, errors, false);
}

struct dovecot_conf *dovecot_parse(const char *file, struct str text, struct buf *errors)
{
	return parse(file, text, errors, false);
}

struct dovecot_conf *dovecot_load_flat(const char *file, struct buf *errors)
{
	return load(file, errors, true);
}

struct dovecot_conf *dovecot_parse_flat(const char *file, struct str text, struct buf *errors)
{
	return parse(file, text, errors, true);
}

void dovecot_free(struct dovecot_conf **c)
{
	if (*c)
		arena_wipe(&(*c)->mem); /* "connect" may hold a password */
	free(*c);
	*c = NULL;
}

const struct dovecot_node *dovecot_get(const struct dovecot_node *list, const char *key)
{
	const struct dovecot_node *found = NULL;

	for (; list; list = list->next)
		if (list->name == NULL && strcmp(list->key, key) == 0)
			found = list;
	return found;
}

const char *dovecot_value(const struct dovecot_node *list, const char *key, const char *otherwise)
{
	const struct dovecot_node *n = dovecot_get(list, key);

	return n ? n->value : otherwise;
}

const struct dovecot_node *dovecot_section(const struct dovecot_node *list, const char *key)
{
	while (list && (list->name == NULL || strcmp(list->key, key) != 0))
		list = list->next;
	return list;
}

int dovecot_bool(const char *value, bool *out)
{
	struct str v = str_c(value);

	*out = str_ieq(v, STR("yes")) || str_ieq(v, STR("y")) || str_eq(v, STR("1"));
	return *out || str_ieq(v, STR("no")) || str_ieq(v, STR("n")) || str_eq(v, STR("0")) ? 0 : -1;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static int number_with_unit(const char *value, const struct unit *units, uint64_t *out)
{
	struct str v = str_trim(str_c(value));
	size_t n = 0;
	uint64_t number;

	*out = 0;
	while (n < v.n && ascii_is_digit(v.p[n]))
		n++;
	if (!str_u64(str_sub(v, 0, n), &number))
		return -1;
	v = str_trim(str_from(v, n));
	for (; units->name; units++)
		if (str_ieq(v, str_c(units->name)))
			return __builtin_mul_overflow(number, units->factor, out) ? -1 : 0;
	return -1;
}

int dovecot_time_ms(const char *value, uint64_t *out)
{
	static const struct unit units[] = { { "", 1000 }, { "s", 1000 }, { "sec", 1000 }, { "secs", 1000 },
		{ "second", 1000 }, { "seconds", 1000 }, { "ms", 1 }, { "msec", 1 }, { "msecs", 1 }, { "millisecs", 1 },
		{ "m", 60000 }, { "min", 60000 }, { "mins", 60000 }, { "minute", 60000 }, { "minutes", 60000 },
		{ "h", 3600000 }, { "hour", 3600000 }, { "hours", 3600000 }, { "d", 86400000 }, { "day", 86400000 },
		{ "days", 86400000 }, { "w", 604800000 }, { "week", 604800000 }, { "weeks", 604800000 }, { NULL, 0 } };

	return number_with_unit(value, units, out);
}

int dovecot_size(const char *value, uint64_t *out)
{
	static const struct unit units[] = { { "", 1 }, { "b", 1 }, { "k", 1024 }, { "kb", 1024 }, { "ki", 1024 },
		{ "m", 1048576 }, { "mb", 1048576 }, { "mi", 1048576 }, { "g", 1073741824 }, { "gb", 1073741824 },
		{ "gi", 1073741824 }, { NULL, 0 } };

	return number_with_unit(value, units, out);
}
