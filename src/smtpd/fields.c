/* Fields of the header that smtpd acts on: their values, kept until the end of the message. */
#include "smtpd/smtpd.h"

enum { FIELDS_MAX = 16, VALUE_MAX = 4096 };

static enum field_kind kind_of(struct str name)
{
	static const struct {
		const char *name;
		enum field_kind kind;
	} kinds[] = {
		{ "Solicitation", FIELD_SOLICITATION },			/* RFC 3865 sec. 2.5 */
		{ "TLS-Required", FIELD_TLS_REQUIRED },			/* RFC 8689 sec. 3 */
		{ "Require-Recipient-Valid-Since", FIELD_VALID_SINCE }, /* RFC 7293 sec. 3.2 */
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (str_ieq(name, str_c(kinds[i].name)))
			return kinds[i].kind;
	return FIELD_NONE;
}

/* In place: a field may be folded thousands of times. What does not fit is left out. */
static void add_text(struct field *f, struct str text)
{
	size_t blank = f->value.n > 0;

	if (text.n == 0 || f->value.n + blank + text.n > VALUE_MAX)
		return;
	if (blank)
		f->room[f->value.n] = ' ';
	memcpy(f->room + f->value.n + blank, text.p, text.n);
	f->value.n += blank + text.n;
}

void fields_take(struct transaction *t, struct str name, struct str line)
{
	enum field_kind kind = name.n ? kind_of(name) : FIELD_NONE;
	struct field *f = t->header.taking;

	if (name.n == 0) {
		if (f)
			add_text(f, str_trim(line));
		return;
	}
	t->header.taking = NULL;
	if (kind == FIELD_NONE || t->n_fields >= FIELDS_MAX)
		return;
	f = arena_alloc(t->mem, sizeof *f);
	f->kind = kind;
	f->room = arena_alloc(t->mem, VALUE_MAX);
	f->value = str_pn(f->room, 0);
	add_text(f, str_trim(str_from(line, (size_t)str_chr(line, ':') + 1)));
	f->next = t->fields;
	t->fields = t->header.taking = f;
	t->n_fields++;
}

const struct field *fields_next(const struct transaction *t, const struct field *after, enum field_kind kind)
{
	const struct field *f = after ? after->next : t->fields;

	while (f && f->kind != kind)
		f = f->next;
	return f;
}

bool fields_say_tls_optional(const struct transaction *t)
{
	const struct field *f = fields_next(t, NULL, FIELD_TLS_REQUIRED);

	/* Sec. 3: more than one, or another value, is as if there were none; the parameter comes first. */
	return f && !fields_next(t, f, FIELD_TLS_REQUIRED) && str_ieq(f->value, STR("No")) &&
	       !(t->params.flags & ENV_REQUIRETLS);
}

bool fields_refuse(struct session *s)
{
	const struct field *f = NULL;

	while ((f = fields_next(s->tx, f, FIELD_SOLICITATION)) != NULL)
		if (solicit_refuse(s, f->value))
			return true;
	return false;
}
