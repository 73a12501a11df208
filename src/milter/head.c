#include "milter/head.h"
#include "milter/head_list.h"

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

static struct str text_of(struct head_list *l, const struct milter_edit *e, size_t limit)
{
	struct buf text = BUF_INIT(limit * 3 + 1024); /* a fold for every octet */
	struct str made;

	milter_field_put(&text, e->name, e->value, e->keep_space, limit);
	made = arena_dup(l->mem, buf_str(&text));
	buf_free(&text);
	return made;
}

static void change(struct head_list *l, const struct milter_edit *e, size_t limit)
{
	uint32_t name = head_list_name(l, e->name);
	struct head_place p = head_list_find(l, name, e->index ? e->index : 1);

	if (p.block && e->value.n == 0)
		head_list_delete(l, p);
	else if (p.block)
		p.block->text[p.at] = text_of(l, e, limit);
	else if (e->value.n > 0) /* as in Postfix and Sendmail */
		head_list_insert(l, l->n, name, text_of(l, e, limit));
}

/* All names that there are or will be. */
static void list_init(struct head_list *l, struct arena *mem, struct str head, const struct milter_edit *edits)
{
	struct str rest = head, *names;
	struct milter_field f;
	size_t n = 0;

	for (const struct milter_edit *e = edits; e; e = e->next)
		n++;
	while (milter_head_next(&rest, &f))
		n++;
	names = arena_array(mem, n + 1, sizeof *names);
	n = 0;
	for (const struct milter_edit *e = edits; e; e = e->next)
		names[n++] = e->name;
	for (rest = head; milter_head_next(&rest, &f);)
		names[n++] = f.name;
	head_list_init(l, mem, names, n);
}

int milter_head_apply(struct str head, struct str own, const struct milter_edit *edits, size_t limit, struct buf *out)
{
	struct arena *mem = arena_new(4096);
	struct head_list l;
	struct milter_field f;
	bool seen = own.n == 0;
	int r = 0;

	list_init(&l, mem, head, edits);
	while (milter_head_next(&head, &f)) {
		bool is_own = !seen && str_eq(f.text, own);

		seen |= is_own;
		head_list_insert(&l, l.n, is_own ? 0 : head_list_name(&l, f.name), f.text);
	}
	for (const struct milter_edit *e = edits; e; e = e->next) {
		if (e->kind == EDIT_CHANGE)
			change(&l, e, limit);
		else
			head_list_insert(&l, e->kind == EDIT_INSERT ? e->index : l.n, head_list_name(&l, e->name),
				text_of(&l, e, limit));
	}
	buf_reset(out);
	for (const struct head_block *b = l.first; b && r == 0; b = b->next)
		for (size_t i = 0; i < b->n && r == 0; i++)
			r = buf_add_str(out, b->text[i]);
	arena_free(&mem);
	return r;
}
