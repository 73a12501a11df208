/* Reading a text with %-variables. */
#include "authd/template_impl.h"

enum { NUMBER_MAX = 1000000 };

/* ---- one variable ---- */

/* Octets up to the brace that closes the one at s.p[0], both included; 0: none does. */
static size_t braces_length(struct str s)
{
	bool has_quotes = !str_has_prefix(s, STR("{if;"));
	unsigned depth = 0;
	char quote = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\')
			i++;
		else if (quote)
			quote = c == quote ? 0 : quote;
		else if (has_quotes && (c == '\'' || c == '"'))
			quote = c;
		else if (c == '{')
			depth++;
		else if (c == '}' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static long take_digits(struct str s, size_t *i)
{
	long n = 0;

	for (; *i < s.n && ascii_is_digit(s.p[*i]); ++*i)
		n = n < NUMBER_MAX ? n * 10 + (s.p[*i] - '0') : n;
	return n;
}

/* "[-][0]offset.[0][-]width", or "[-][0]width": there the minus means nothing, as in Dovecot. */
static void take_range(struct str s, size_t *i, struct template_part *p)
{
	bool minus = *i < s.n && s.p[*i] == '-';

	*i += minus;
	p->is_padded = *i < s.n && s.p[*i] == '0';
	p->width = take_digits(s, i);
	if (*i == s.n || s.p[*i] != '.')
		return;
	p->offset = minus ? -p->width : p->width;
	++*i;
	p->is_padded = *i < s.n && s.p[*i] == '0';
	*i += p->is_padded;
	minus = *i < s.n && s.p[*i] == '-';
	*i += minus;
	p->width = take_digits(s, i);
	if (minus)
		p->width = -p->width;
}

static const char *not_understood(struct arena *mem, struct str at, const char *why)
{
	return arena_printf(mem, "%s at \"%.*s\"; there are %%u %%n %%d %%s %%l %%r %%m, %%{user} %%{user | domain} …",
		why ? why : "a variable is not known", (int)(at.n > 24 ? 24 : at.n), at.p);
}

size_t template_var(struct str s, struct arena *mem, struct template_part *part, const char **why)
{
	struct scan scan = { .mem = mem, .part = part, .last = &part->steps };
	struct step *modifiers = NULL, **last = &modifiers;
	const struct filter *f;
	size_t i = 1, n;

	*part = (struct template_part){ 0 };
	if (s.n > 1 && s.p[1] == '%') {
		part->is_text = true;
		part->text = str_sub(s, 1, 1);
		return 2;
	}
	take_range(s, &i, part);
	for (; i < s.n && (f = filter_by_modifier(s.p[i])) != NULL; i++) {
		*last = arena_alloc(mem, sizeof **last);
		(*last)->filter = f;
		last = &(*last)->next;
	}
	if (i < s.n && s.p[i] == '{') {
		n = braces_length(str_from(s, i));
		scan.rest = str_sub(s, i + 1, n ? n - 2 : 0);
		if (n == 0)
			scan.why = "a \"}\" is missing";
		if (n == 0 || !template_take_long(&scan)) {
			*why = not_understood(mem, s, scan.why);
			return 0;
		}
		*scan.last = modifiers;
		return i + n;
	}
	part->var = i < s.n ? var_by_letter(s.p[i]) : NULL;
	part->steps = modifiers;
	if (part->var == NULL)
		*why = not_understood(mem, s, NULL);
	return part->var ? i + 1 : 0;
}

/* ---- a whole text ---- */

static bool is_free(const struct template_part *p)
{
	bool free = p->var && var_is_free(p->var);

	for (const struct step *s = p->steps; s; s = s->next) {
		free |= strcmp(s->filter->name, "lookup") == 0;
		for (size_t i = 0; i < s->n; i++)
			free |= (s->arg[i].kind == ARG_VAR && var_is_free(s->arg[i].var)) ||
				(s->arg[i].kind == ARG_TEMPLATE && s->arg[i].inner.is_free);
	}
	return free;
}

static void add_part(struct template_part ***last, const struct template_part *part, struct arena *mem)
{
	struct template_part *p = arena_alloc(mem, sizeof *p);

	*p = *part;
	p->next = NULL;
	**last = p;
	*last = &p->next;
}

int template_compile(struct str text, struct arena *mem, struct template *out, const char **why)
{
	struct template_part **last = &out->first;

	*out = (struct template){ 0 };
	*why = NULL;
	text = arena_dup(mem, text);
	while (text.n) {
		ptrdiff_t at = str_chr(text, '%');
		struct template_part p = { .is_text = true, .text = at < 0 ? text : str_sub(text, 0, (size_t)at) };
		size_t used;

		if (p.text.n)
			add_part(&last, &p, mem);
		if (at < 0)
			break;
		text = str_from(text, (size_t)at);
		used = template_var(text, mem, &p, why);
		if (used == 0)
			return -1;
		out->has_vars |= !p.is_text;
		out->is_free |= is_free(&p);
		add_part(&last, &p, mem);
		text = str_from(text, used);
	}
	return 0;
}
