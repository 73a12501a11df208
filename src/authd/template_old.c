/* Reading %{sha256;rounds=2,salt=x:user} and %{if;…} as 2.3 has them. */
#include "authd/template_impl.h"

static bool take_old_digest(struct scan *s, const struct filter *f, struct str options, struct str name)
{
	struct step *step = template_add_step(s, f);
	struct str option;

	s->part->var = var_by_name(name, &s->part->field);
	if (s->part->var == NULL)
		return template_fails(s, arena_printf(s->mem, "the variable \"%.*s\" is not known", STR_ARG(name)));
	while (options.n && str_field(&options, ",", &option)) {
		ptrdiff_t eq = str_chr(option, '=');
		struct arg *a = &step->arg[step->n];

		if (eq < 0)
			continue;
		if (step->n == ARGS_MAX)
			return template_fails(s, "too many arguments of a digest");
		a->key = arena_cdup(s->mem, str_sub(option, 0, (size_t)eq));
		a->text = str_from(option, (size_t)eq + 1);
		if (strcmp(a->key, "salt") == 0) {
			/* The last one: it may have commas, and variables. */
			a->text = str_pn(a->text.p, a->text.n + (options.p ? options.n + 1 : 0));
			a->kind = ARG_TEMPLATE;
			options = STR("");
			if (template_compile(a->text, s->mem, &a->inner, &s->why) < 0)
				return false;
		}
		step->n++;
	}
	return true;
}

/* Up to the next ";" that is not escaped and not in a variable. */
static struct str take_choice(struct scan *s)
{
	struct buf b = BUF_INIT(65536);
	struct str result;
	unsigned depth = 0;
	size_t i = 0;

	for (; i < s->rest.n && (depth || s->rest.p[i] != ';'); i++) {
		char c = s->rest.p[i];

		depth += c == '{';
		depth -= c == '}' && depth;
		if (c == '\\' && i + 1 < s->rest.n)
			c = s->rest.p[++i];
		buf_add_char(&b, c);
	}
	s->rest = str_from(s->rest, i + 1);
	result = arena_dup(s->mem, buf_str(&b));
	buf_free(&b);
	return result;
}

static bool take_old_if(struct scan *s)
{
	struct step *step = template_add_step(s, &filter_old_if);

	for (size_t i = 0; i < 5; i++) {
		if (s->rest.n == 0 && i < 4)
			return template_fails(
				s, "%{if;…} has too few parts; there should be %{if;value;eq;value;yes;no}");
		step->arg[i].kind = ARG_TEMPLATE;
		if (template_compile(take_choice(s), s->mem, &step->arg[i].inner, &s->why) < 0)
			return false;
	}
	step->n = 5;
	return true;
}

bool template_take_long(struct scan *s)
{
	ptrdiff_t colon = str_chr(s->rest, ':'), semi = str_chr(s->rest, ';');
	struct str head = str_sub(s->rest, 0, semi > 0 && semi < colon ? (size_t)semi : colon > 0 ? (size_t)colon : 0);
	const struct filter *f = filter_digest(head);

	if (str_has_prefix(s->rest, STR("if;"))) {
		s->rest = str_from(s->rest, 3);
		return take_old_if(s);
	}
	if (f) {
		/* The field is behind the last colon: a salt may have some. */
		colon = str_rchr(s->rest, ':');
		return take_old_digest(s, f,
			semi > 0 ? str_sub(s->rest, (size_t)semi + 1, (size_t)(colon - semi - 1)) : STR(""),
			str_from(s->rest, (size_t)colon + 1));
	}
	return template_take_new(s);
}
