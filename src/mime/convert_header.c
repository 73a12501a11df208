#include "mime/convert_impl.h"
#include "mime/header_7bit.h"
#include "base/log.h"
#include "base/utf8.h"

static bool is_continued(const struct mime_convert *c, struct str line)
{
	return c->field.n > 0 && line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
}

bool mime_is_field(const struct mime_convert *c, struct str line)
{
	const struct mime_level *l = &c->level[c->depth - 1];
	struct str value;

	if (is_continued(c, line) || mime_field_name(line, &value).n > 0)
		return true;
	/* The line that mailboxes have before a message comes along in messages that are attached. */
	return l->is_message && !l->has_field &&
	       (str_has_prefix(line, STR("From ")) || str_has_prefix(line, STR(">From ")));
}

void mime_header_piece(struct mime_convert *c, struct str octets, bool ends)
{
	if (!c->in_field_line && !is_continued(c, octets))
		mime_field_end(c);
	c->in_field_line = !ends;
	mime_top(c)->has_field = true;
	if (c->cutting || c->field.n + octets.n + 2 > MIME_FIELD_MAX) {
		c->cutting = c->field_is_cut = true;
		c->dirty |= !mime_is_fit(c, octets);
		return;
	}
	require(buf_add_str(&c->field, octets) == 0);
	if (ends)
		require(buf_add_c(&c->field, "\r\n") == 0);
}

static void take_type(struct mime_convert *c, struct mime_level *l, struct str value)
{
	char boundary[MIME_BOUNDARY_MAX];
	size_t n;

	if (l->has_type)
		return;
	l->has_type = true;
	l->kind = mime_kind_of(value, boundary, &n);
	mime_walk_open(c, boundary, n);
}

/* What a field says about its entity. Of several the first counts, as for most readers. */
static void note_field(struct mime_convert *c, struct str name, struct str value)
{
	struct mime_level *l = mime_top(c);

	if (str_ieq(name, STR("Content-Type"))) {
		take_type(c, l, value);
	} else if (str_ieq(name, STR("Content-Transfer-Encoding"))) {
		if (!l->has_cte)
			l->cte = mime_cte_of(value);
		l->has_cte = true;
	} else if (str_ieq(name, STR("MIME-Version"))) {
		l->has_version = true;
	}
}

/* An encoding that we put into the place of the one that is there. */
static bool is_new_label(unsigned plan)
{
	unsigned code = plan & PLAN_CODE;

	return code == CODE_QP || code == CODE_BASE64 || (plan & PLAN_RELABEL);
}

/* What is left of a field that was cut is a field. There is room: see mime_header_piece(). */
static void end_cut(struct mime_convert *c)
{
	if (c->cutting && !str_has_suffix(buf_str(&c->field), STR("\r\n")))
		require(buf_add_c(&c->field, "\r\n") == 0);
	c->cutting = false;
}

static void put_field(struct mime_convert *c, struct str field)
{
	bool to_7bit = c->target == MIME_TO_7BIT || c->target == MIME_TO_8BIT_BODIES;
	int r;

	if (!mime_field_is_odd(field, to_7bit)) {
		mime_emit(c, field);
		return;
	}
	c->dirty = true;
	buf_reset(&c->scratch);
	r = mime_field_put(&c->scratch, field, to_7bit);
	if (r < 0 && c->may_spoil)
		r = mime_field_put_spoilt(&c->scratch, field);
	if (r < 0)
		mime_refuse(c, "5.6.7", "its header has an address, or the like, that cannot be said in ASCII");
	mime_emit(c, r < 0 ? field : buf_str(&c->scratch));
}

void mime_field_end(struct mime_convert *c)
{
	struct str field, value = { "", 0 }, name;
	bool is_cte;

	end_cut(c);
	field = buf_str(&c->field);
	name = mime_field_name(field, &value);
	is_cte = str_ieq(name, STR("Content-Transfer-Encoding"));
	c->in_field_line = false;
	if (field.n == 0)
		return;
	note_field(c, name, value);
	if (!is_cte || !is_new_label(mime_planned(c, mime_top(c))))
		put_field(c, field);
	buf_reset(&c->field);
}

static const char *new_label(const struct mime_convert *c, unsigned plan)
{
	if (plan & PLAN_RELABEL)
		return c->target == MIME_TO_7BIT ? "7bit" : "8bit";
	return (plan & PLAN_CODE) == CODE_QP ? "quoted-printable" : "base64";
}

bool mime_header_add(struct mime_convert *c)
{
	unsigned plan = mime_planned(c, mime_top(c));
	struct buf added = BUF_INIT(1024);
	bool any;

	if (plan & PLAN_VERSION)
		buf_add_c(&added, "MIME-Version: 1.0\r\n");
	if (plan & (PLAN_TYPE | PLAN_TYPE_UTF8))
		buf_addf(&added, "Content-Type: text/plain; charset=%s\r\n",
			plan & PLAN_TYPE_UTF8 ? "utf-8" : "unknown-8bit");
	if (is_new_label(plan))
		buf_addf(&added, "Content-Transfer-Encoding: %s\r\n", new_label(c, plan));
	any = added.n > 0;
	mime_emit(c, buf_str(&added));
	buf_free(&added);
	return any;
}
