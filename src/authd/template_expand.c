/* What a template becomes. */
#include "authd/filter.h"

static void add_range(struct buf *out, const struct template_part *p, const struct filter_state *st)
{
	struct str s = st->value;
	size_t n;

	if (st->offset < 0)
		s = s.n > (size_t)-st->offset ? str_from(s, s.n - (size_t)-st->offset) : s;
	else
		s = str_from(s, (size_t)st->offset);
	if (st->width && p->is_padded)
		for (n = s.n; (long)n < st->width; n++)
			buf_add_char(out, '0');
	else if (st->width > 0)
		s = str_sub(s, 0, (size_t)st->width);
	else if (st->width < 0)
		s = s.n > (size_t)-st->width ? str_sub(s, 0, s.n - (size_t)-st->width) : STR("");
	buf_add_str(out, s);
}

static void expand_part(const struct template_part *p, const struct vars *v, const struct template_escape *e,
	struct arena *mem, struct buf *out)
{
	struct filter_state st = { .v = v, .mem = mem, .offset = p->offset, .width = p->width };
	bool is_name = false;

	if (p->is_text) {
		buf_add_str(out, p->text);
		return;
	}
	if (p->var) {
		st.value = var_value(p->var, p->field, v, mem);
		st.has_value = true;
	}
	for (const struct step *s = p->steps; s; s = s->next) {
		/* What failed leaves nothing to work on, but for `default`. */
		if (!st.has_value && s->filter->needs_value)
			continue;
		if (e && !is_name && strcmp(s->filter->name, "ldap_dn") == 0) {
			st.value = e->name(mem, st.value);
			is_name = true;
		}
		st.has_value = s->filter->run(s, &st);
		if (!st.has_value)
			st.value = STR("");
	}
	if (st.is_binary)
		st.value = filter_hex(mem, st.value);
	if (e && (!is_name || e->escapes_names)) {
		struct buf value = BUF_INIT(65536);

		add_range(&value, p, &st);
		buf_add_str(out, e->value(mem, buf_str(&value)));
		buf_wipe(&value);
	} else {
		add_range(out, p, &st);
	}
}

struct str template_expand_as(
	const struct template *t, const struct vars *v, const struct template_escape *e, struct arena *mem)
{
	struct buf out = BUF_INIT(65536);
	struct str result;

	for (const struct template_part *p = t->first; p; p = p->next)
		expand_part(p, v, e, mem, &out);
	result = arena_dup(mem, buf_str(&out));
	buf_wipe(&out);
	return result;
}

struct str template_expand(const struct template *t, const struct vars *v, struct arena *mem)
{
	return template_expand_as(t, v, NULL, mem);
}
