#include "milter/head.h"

#include <stdlib.h>

struct entry {
	struct str text, name;
	bool own;
};
struct list {
	struct entry *at;
	size_t n, cap;
	struct arena *mem;
};

/* Octets of the first line with its LF; all of it when there is none. */
static size_t line_octets(struct str text)
{
	ptrdiff_t lf = str_chr(text, '\n');

	return lf < 0 ? text.n : (size_t)lf + 1;
}

static bool is_folded(struct str text)
{
	return text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t');
}

bool milter_head_next(struct str *rest, struct milter_field *f)
{
	size_t n, colon, name;

	if (rest->n == 0)
		return false;
	n = line_octets(*rest);
	while (is_folded(str_from(*rest, n)))
		n += line_octets(str_from(*rest, n));
	f->text = str_sub(*rest, 0, n);
	*rest = str_from(*rest, n);
	name = f->text.p[0] == '.'; /* the dot of RFC 5321 sec. 4.5.2 */
	for (colon = name; colon < f->text.n && ascii_is_graph(f->text.p[colon]) && f->text.p[colon] != ':';)
		colon++;
	f->name = str_sub(f->text, name, colon - name);
	while (colon < f->text.n && (f->text.p[colon] == ' ' || f->text.p[colon] == '\t'))
		colon++;
	if (colon == f->text.n || f->text.p[colon] != ':')
		f->name = STR("");
	f->value = f->name.n ? str_from(f->text, colon + 1) : f->text;
	return true;
}

void milter_head_value(const struct milter_field *f, bool keep_space, struct buf *out)
{
	struct str v = f->value;

	if (str_has_suffix(v, STR("\r\n")))
		v.n -= 2;
	if (!keep_space && v.n > 0 && v.p[0] == ' ')
		v = str_from(v, 1);
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] != '\r' || i + 1 == v.n || v.p[i + 1] != '\n')
			buf_add_char(out, v.p[i]);
}

bool milter_field_name_is_good(struct str name)
{
	if (name.n == 0 || name.n > 512 || name.p[0] == '.')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_graph(name.p[i]) || name.p[i] == ':')
			return false;
	return true;
}

/* One line of a value; a folded one begins with a blank, or it would be another field. */
static void put_line(struct buf *out, struct str line, bool first)
{
	if (!first && !is_folded(line))
		buf_add_char(out, '\t');
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		buf_add_char(out, (c < 32 && c != '\t') || c == 127 ? ' ' : (char)c);
	}
	buf_add_c(out, "\r\n");
}

void milter_field_put(struct buf *out, struct str name, struct str value, bool keep_space, size_t limit)
{
	bool first = true;
	size_t room = limit > name.n + 2 ? limit - name.n - 2 : 0;
	struct str line;

	value = str_sub(value, 0, room);
	buf_add_str(out, name);
	buf_add_c(out, keep_space ? ":" : ": ");
	while (str_field(&value, "\n", &line)) {
		while (str_has_suffix(line, STR("\r")))
			line.n--;
		if (!first && str_trim(line).n == 0)
			continue; /* an empty line would end the header */
		put_line(out, line, first);
		first = false;
	}
	if (first) /* no value at all: value.p was NULL */
		buf_add_c(out, "\r\n");
}

static void put_at(struct list *l, size_t at, struct entry e)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->at = xrealloc(l->at, l->cap * sizeof *l->at);
	}
	memmove(l->at + at + 1, l->at + at, (l->n - at) * sizeof *l->at);
	l->at[at] = e;
	l->n++;
}

static struct entry field_of(struct list *l, const struct milter_edit *e, size_t limit)
{
	struct buf text = BUF_INIT(limit * 3 + 1024); /* a fold for every octet */
	struct entry made = { .name = e->name };

	milter_field_put(&text, e->name, e->value, e->keep_space, limit);
	made.text = arena_dup(l->mem, buf_str(&text));
	buf_free(&text);
	return made;
}

/* The place of the index-th field of that name that filters see; l->n: there is none. */
static size_t find(const struct list *l, struct str name, uint32_t index)
{
	uint32_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!l->at[i].own && str_ieq(l->at[i].name, name) && ++n == index)
			return i;
	return l->n;
}

static void change(struct list *l, const struct milter_edit *e, size_t limit)
{
	size_t at = find(l, e->name, e->index ? e->index : 1);

	if (e->value.n == 0) {
		if (at == l->n)
			return;
		l->n--;
		memmove(l->at + at, l->at + at + 1, (l->n - at) * sizeof *l->at);
	} else if (at == l->n) { /* as in Postfix and Sendmail */
		put_at(l, l->n, field_of(l, e, limit));
	} else {
		l->at[at] = field_of(l, e, limit);
	}
}

static void apply(struct list *l, const struct milter_edit *e, size_t limit)
{
	if (e->kind == EDIT_CHANGE)
		change(l, e, limit);
	else if (e->kind == EDIT_INSERT && e->index < l->n)
		put_at(l, e->index, field_of(l, e, limit));
	else
		put_at(l, l->n, field_of(l, e, limit));
}

int milter_head_apply(struct str head, struct str own, const struct milter_edit *edits, size_t limit, struct buf *out)
{
	struct list l = { .mem = arena_new(4096) };
	struct milter_field f;
	bool seen = own.n == 0;
	int r = 0;

	while (milter_head_next(&head, &f)) {
		struct entry e = { f.text, f.name, !seen && str_eq(f.text, own) };

		seen |= e.own;
		put_at(&l, l.n, e);
	}
	for (; edits; edits = edits->next)
		apply(&l, edits, limit);
	buf_reset(out);
	for (size_t i = 0; i < l.n && r == 0; i++)
		r = buf_add_str(out, l.at[i].text);
	free(l.at);
	arena_free(&l.mem);
	return r;
}
