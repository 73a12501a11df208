#include "ctl/compose.h"
#include "ctl/header_addr.h"

enum field_kind { FIELD_OTHER, FIELD_ADDRESS, FIELD_RCPT, FIELD_FROM, FIELD_RESENT, FIELD_RESENT_RCPT };

static const struct {
	const char *name;
	enum field_kind kind;
} fields[] = {
	{ "From", FIELD_FROM },
	{ "Sender", FIELD_ADDRESS },
	{ "Reply-To", FIELD_ADDRESS },
	{ "To", FIELD_RCPT },
	{ "Cc", FIELD_RCPT },
	{ "Bcc", FIELD_RCPT },
	{ "Resent-From", FIELD_RESENT },
	{ "Resent-Sender", FIELD_RESENT },
	{ "Resent-Reply-To", FIELD_RESENT },
	{ "Resent-To", FIELD_RESENT_RCPT },
	{ "Resent-Cc", FIELD_RESENT_RCPT },
	{ "Resent-Bcc", FIELD_RESENT_RCPT },
};

/* Where the body of the field begins; 0: this line begins no field. */
static size_t field_name(struct str line, struct str *name)
{
	ptrdiff_t colon = str_chr(line, ':');
	size_t n = 0;

	while (n < line.n && line.p[n] > ' ' && line.p[n] < 127 && line.p[n] != ':')
		n++;
	*name = str_sub(line, 0, n);
	if (colon <= 0 || n == 0 || str_trim(str_sub(line, n, (size_t)colon - n)).n)
		return 0;
	return (size_t)colon + 1;
}

static enum field_kind kind_of(struct str name)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (str_ieq(name, str_c(fields[i].name)))
			return fields[i].kind;
	return FIELD_OTHER;
}

/* The field with all its folded lines. */
static struct str cut_field(struct str text)
{
	size_t n = 0;

	do {
		ptrdiff_t lf = str_chr(str_from(text, n), '\n');

		n = lf < 0 ? text.n : n + (size_t)lf + 1;
	} while (n < text.n && (text.p[n] == ' ' || text.p[n] == '\t'));
	return str_sub(text, 0, n);
}

/* Each address that has no domain gets ours. */
static void put_addresses(const struct compose *c, struct str field, size_t body, struct buf *out)
{
	struct str rest = str_from(field, body), addr;
	const char *done = field.p;

	while (header_addr_next(&rest, &addr)) {
		if (header_addr_has_domain(addr))
			continue;
		buf_add(out, done, (size_t)(addr.p + addr.n - done));
		buf_addf(out, "@%.*s", STR_ARG(c->origin));
		done = addr.p + addr.n;
	}
	buf_add(out, done, (size_t)(field.p + field.n - done));
}

static void take_rcpts(struct buf *to, struct str body)
{
	struct str addr;

	while (header_addr_next(&body, &addr)) {
		header_addr_clean(addr, to);
		buf_add_char(to, '\n');
	}
}

static bool is_phrase(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (strchr("()<>[]:;@\\,.\"", name.p[i]) || (unsigned char)name.p[i] < 32)
			return false;
	return true;
}

static void put_from(const struct compose *c, struct buf *out)
{
	bool plain = is_phrase(c->full_name);

	buf_add_c(out, plain ? "From: " : "From: \"");
	for (size_t i = 0; i < c->full_name.n; i++) {
		char ch = c->full_name.p[i];

		if ((unsigned char)ch < 32)
			ch = ' ';
		if (!plain && (ch == '"' || ch == '\\'))
			buf_add_char(out, '\\');
		buf_add_char(out, ch);
	}
	buf_addf(out, "%s <%.*s", plain ? "" : "\"", STR_ARG(c->sender));
	if (!header_addr_has_domain(c->sender))
		buf_addf(out, "@%.*s", STR_ARG(c->origin));
	buf_add_c(out, ">\n");
}

/* "From user@host Thu Jan  1 …" of a mailbox file is no part of the message. */
static struct str without_from_line(struct str text)
{
	while (str_has_prefix(text, STR("From ")) || str_has_prefix(text, STR(">From "))) {
		ptrdiff_t lf = str_chr(text, '\n');

		text = str_from(text, lf < 0 ? text.n : (size_t)lf + 1);
	}
	return text;
}

void compose(struct compose *c, struct str text, struct buf *out)
{
	struct buf resent = BUF_INIT(c->rcpts.max);
	bool has_from = false, is_resent = false;
	size_t body;
	struct str field, name;

	text = without_from_line(text);
	while (text.n) {
		enum field_kind kind;

		field = cut_field(text);
		body = field_name(field, &name);
		if (body == 0)
			break;
		text = str_from(text, field.n);
		kind = kind_of(name);
		has_from |= kind == FIELD_FROM;
		is_resent |= kind >= FIELD_RESENT;
		if (kind == FIELD_RCPT && c->extract)
			take_rcpts(&c->rcpts, str_from(field, body));
		if (kind == FIELD_RESENT_RCPT && c->extract)
			take_rcpts(&resent, str_from(field, body));
		if (kind == FIELD_OTHER || c->leave)
			buf_add_str(out, field);
		else
			put_addresses(c, field, body, out);
	}
	if (out->n && out->p[out->n - 1] != '\n')
		buf_add_char(out, '\n');
	if (!has_from && !c->leave && c->full_name.n && c->sender.n)
		put_from(c, out);
	if (text.n && text.p[0] != '\n' && !str_has_prefix(text, STR("\r\n")))
		buf_add_char(out, '\n');
	buf_add_str(out, text);
	if (is_resent && c->extract) {
		buf_reset(&c->rcpts);
		buf_add_str(&c->rcpts, buf_str(&resent));
	}
	buf_free(&resent);
}
