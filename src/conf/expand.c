/*
 * expand.c - the expressions in a value.
 *
 *	$$			one "$"
 *	$name ${name} $(name)	the expanded value of name; nothing when there is no such name
 *	${name?text} ${name:text}	text when name's value is not empty; when it is
 *	${name?{text}:{text}}	one or the other
 *	${{left}OP{right}?{text}:{text}}	OP: == != < <= > >=, as numbers when both are digits only, else as text;
 *				with "level" behind OP as compatibility levels
 *	${domain_to_ascii{text}}	the text, which must be ASCII
 */
#include "conf/conf_impl.h"
#include "base/utf8.h"

enum { DEPTH_MAX = 100, STEPS_MAX = 100000, OCTETS_MAX = 1024 * 1024 };

struct expander {
	const struct conf_view *view; /* NULL while only scanning */
	struct name_seer *seer;	      /* not NULL: only scanning */
	struct buf *out, *why;
	struct str names[DEPTH_MAX]; /* values that are being expanded: a name in its own value is a loop */
	unsigned n_names, depth, steps;
};

static int expand_text(struct expander *e, struct str text);

static int bad(struct expander *e, const char *what, struct str where)
{
	if (e->why)
		buf_addf(e->why, "%s at \"%.*s\"", what, STR_ARG(str_sub(where, 0, 60)));
	return -1;
}

static struct str skip_blanks(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
		s = str_from(s, 1);
	return s;
}

static bool is_name_octet(char c)
{
	return ascii_is_alnum(c) || c == '_';
}

/* Cut "open … close" off *s, nested pairs included; false: it is not closed. */
static bool cut_pair(struct str *s, char open, char close, struct str *inside)
{
	size_t level = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->p[i] == open)
			level++;
		else if (s->p[i] == close && --level == 0) {
			*inside = str_sub(*s, 1, i - 1);
			*s = str_from(*s, i + 1);
			return true;
		}
	}
	return false;
}

static int add(struct expander *e, struct str s)
{
	if (e->seer)
		return 0;
	return buf_add_str(e->out, s) ? bad(e, "expands to more than 1048576 octets", s) : 0;
}

/* The value of a name, expanded, to the output. */
static int add_name(struct expander *e, struct str name, struct str raw)
{
	int r;

	if (param_is_raw(name))
		return add(e, raw);
	for (unsigned i = 0; i < e->n_names; i++)
		if (str_eq(e->names[i], name))
			return bad(e, "a parameter whose value contains itself", name);
	if (e->n_names == DEPTH_MAX)
		return bad(e, "more than 100 values within values", name);
	e->names[e->n_names++] = name;
	r = expand_text(e, raw);
	e->n_names--;
	return r;
}

enum op { OP_NONE, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

static enum op cut_op(struct str *s)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = { { "==", OP_EQ }, { "!=", OP_NE }, { "<=", OP_LE }, { ">=", OP_GE }, { "<", OP_LT },
		{ ">", OP_GT } };

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (str_has_prefix(*s, str_c(ops[i].text))) {
			*s = str_from(*s, strlen(ops[i].text));
			return ops[i].op;
		}
	return OP_NONE;
}

static bool holds(enum op op, int order)
{
	switch (op) {
	case OP_EQ:
		return order == 0;
	case OP_NE:
		return order != 0;
	case OP_LT:
		return order < 0;
	case OP_LE:
		return order <= 0;
	case OP_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}

static int compare(struct str a, struct str b)
{
	uint64_t x, y;

	if (str_u64(a, &x) && str_u64(b, &y))
		return x < y ? -1 : x > y;
	return str_cmp(a, b);
}

/* Expand both sides into own buffers and compare. 0 and *truth, or -1. */
static int relation(struct expander *e, struct str left, enum op op, bool as_level, struct str right, bool *truth)
{
	struct buf l = BUF_INIT(OCTETS_MAX), r = BUF_INIT(OCTETS_MAX), *out = e->out;
	int failed, order = 0;

	e->out = &l;
	failed = expand_text(e, left);
	e->out = &r;
	failed = failed ? failed : expand_text(e, right);
	e->out = out;
	if (!failed && !e->seer) {
		order = as_level ? level_compare(buf_str(&l), buf_str(&r)) : compare(buf_str(&l), buf_str(&r));
		if (order == -2 && as_level)
			failed = bad(e, "not a compatibility level (for example 3.6)",
				level_compare(buf_str(&l), STR("0")) == -2 ? buf_str(&l) : buf_str(&r));
	}
	*truth = holds(op, order);
	buf_free(&l);
	buf_free(&r);
	return failed;
}

/* "{left} OP {right}" off *s. */
static int cut_relation(struct expander *e, struct str *s, bool *truth)
{
	struct str left, right, whole = *s;
	bool as_level;
	enum op op;

	if (!cut_pair(s, '{', '}', &left))
		return bad(e, "a brace that is not closed", whole);
	*s = skip_blanks(*s);
	op = cut_op(s);
	if (op == OP_NONE)
		return bad(e, "== != < <= > or >= is missing", whole);
	as_level = str_has_prefix(*s, STR("level"));
	if (as_level)
		*s = str_from(*s, 5);
	*s = skip_blanks(*s);
	if (s->n == 0 || s->p[0] != '{')
		return bad(e, "{text} is missing behind the comparison", whole);
	if (!cut_pair(s, '{', '}', &right))
		return bad(e, "a brace that is not closed", whole);
	*s = skip_blanks(*s);
	return relation(e, left, op, as_level, right, truth);
}

/* One result behind "?" or ":": "{text}", then *s is what follows, or all the rest. */
static int cut_result(struct expander *e, struct str *s, struct str *result)
{
	struct str inner = skip_blanks(*s);

	if (inner.n && inner.p[0] == '{') {
		if (!cut_pair(&inner, '{', '}', result))
			return bad(e, "a brace that is not closed", *s);
		*s = skip_blanks(inner);
		return 0;
	}
	*result = *s;
	*s = STR("");
	return 0;
}

/* "?text", ":text", "?{text}:{text}" */
static int choose(struct expander *e, struct str s, bool truth)
{
	struct str result, whole = s;

	if (s.p[0] == '?') {
		s = str_from(s, 1);
		if (cut_result(e, &s, &result) || ((truth || e->seer) && expand_text(e, result)))
			return -1;
		if (s.n == 0)
			return 0;
		if (s.p[0] != ':')
			return bad(e, "\":\" is missing", whole);
	}
	s = str_from(s, 1);
	if (cut_result(e, &s, &result) || ((!truth || e->seer) && expand_text(e, result)))
		return -1;
	return s.n ? bad(e, "text behind the last brace", whole) : 0;
}

/*
 * name{text}. The one function of Postfix is domain_to_ascii. A name that is not ASCII would need IDNA here, in every
 * process: its owner can write the A-label as well (RFC 5890 sec. 2.3.2.1).
 */
static int call(struct expander *e, struct str name, struct str s)
{
	struct buf argument = BUF_INIT(OCTETS_MAX), *out = e->out;
	struct str inside, whole = s;
	int failed;

	if (!str_eq(name, STR("domain_to_ascii")))
		return bad(e, "a function that does not exist", name);
	if (!cut_pair(&s, '{', '}', &inside))
		return bad(e, "a brace that is not closed", whole);
	if (skip_blanks(s).n)
		return bad(e, "text behind the last brace", whole);
	e->out = &argument;
	failed = expand_text(e, str_trim(inside));
	e->out = out;
	if (!failed && str_is_8bit(buf_str(&argument)))
		failed = bad(e, "a domain that is not ASCII; write its form that begins with xn--", buf_str(&argument));
	failed = failed ? failed : add(e, buf_str(&argument));
	buf_free(&argument);
	return failed;
}

static int expand_name(struct expander *e, struct str s)
{
	struct str name, raw = STR(""), whole = s;
	size_t n = 0;

	while (n < s.n && is_name_octet(s.p[n]))
		n++;
	name = str_sub(s, 0, n);
	s = skip_blanks(str_from(s, n));
	if (n == 0)
		return bad(e, "a name is missing", whole);
	if (s.n && s.p[0] == '{')
		return call(e, name, s);
	if (s.n && s.p[0] != '?' && s.p[0] != ':')
		return bad(e, "a name may have letters, digits and _ only;", whole);
	if (e->seer)
		e->seer->seen(e->seer, name, s.n > 0);
	else
		view_raw(e->view, name, &raw);
	if (s.n)
		return choose(e, s, raw.n > 0);
	return e->seer ? 0 : add_name(e, name, raw);
}

/* The inside of ${…}, or the name behind "$". */
static int expand_expression(struct expander *e, struct str s)
{
	bool truth = false;

	s = skip_blanks(s);
	if (s.n == 0 || s.p[0] != '{')
		return expand_name(e, s);
	if (cut_relation(e, &s, &truth))
		return -1;
	if (s.n == 0)
		return truth ? add(e, STR("bool_true")) : 0;
	if (s.p[0] != '?' && s.p[0] != ':')
		return bad(e, "\"?\" or \":\" is missing", s);
	return choose(e, s, truth);
}

/* The expression that begins behind a "$" at text's start; cuts it off. */
static int expand_dollar(struct expander *e, struct str *text)
{
	struct str expression, whole = *text;
	size_t n = 1;

	*text = str_from(*text, 1);
	if (text->n && (text->p[0] == '{' || text->p[0] == '(')) {
		char open = text->p[0];

		if (!cut_pair(text, open, open == '{' ? '}' : ')', &expression))
			return bad(e, open == '{' ? "\"}\" is missing" : "\")\" is missing", whole);
		return expand_expression(e, expression);
	}
	while (n < whole.n && is_name_octet(whole.p[n]))
		n++;
	if (n == 1)
		return bad(e, "a name is missing behind $ (write $$ for a plain $)", whole);
	*text = str_from(whole, n);
	return expand_expression(e, str_sub(whole, 1, n - 1));
}

static int expand_text(struct expander *e, struct str text)
{
	if (e->depth >= 2 * DEPTH_MAX || ++e->steps > STEPS_MAX)
		return bad(e, "expressions nested too deep or too often", text);
	e->depth++;
	while (text.n) {
		ptrdiff_t dollar = str_chr(text, '$');
		int failed;

		if (dollar != 0) {
			size_t n = dollar < 0 ? text.n : (size_t)dollar;

			failed = add(e, str_sub(text, 0, n));
			text = str_from(text, n);
		} else if (text.n > 1 && text.p[1] == '$') {
			failed = add(e, STR("$"));
			text = str_from(text, 2);
		} else {
			failed = expand_dollar(e, &text);
		}
		if (failed)
			return -1;
	}
	e->depth--;
	return 0;
}

int expand(const struct conf_view *v, struct str text, struct buf *out, struct buf *why)
{
	struct expander e = { .view = v, .out = out, .why = why };

	return expand_text(&e, text);
}

int expand_scan(struct str text, struct name_seer *s, struct buf *why)
{
	struct expander e = { .seer = s, .why = why };

	return expand_text(&e, text);
}
