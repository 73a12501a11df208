#include "smtp/orcpt.h"
#include "base/utf8.h"
#include "smtp/command.h"

/* utf-8-addr-xtext (RFC 6533 sec. 3): all but QCHARs and `also` stands as \x{HEX}. 0, or -1: no UTF-8. */
static int put_utf8(struct buf *out, struct str in, const char *also)
{
	while (in.n > 0) {
		size_t n = utf8_sequence(in);
		unsigned long c = (unsigned char)in.p[0];

		if (n == 0)
			return -1;
		if (n > 1)
			c &= 0x7fUL >> n;
		for (size_t i = 1; i < n; i++)
			c = c << 6 | ((unsigned char)in.p[i] & 0x3f);
		if ((*also && c == (unsigned char)*also) ||
			(ascii_is_graph(in.p[0]) && c != '\\' && c != '+' && c != '='))
			buf_add_char(out, in.p[0]);
		else
			buf_addf(out, "\\x{%02lX}", c);
		in = str_from(in, n);
	}
	return 0;
}

int utf8_address_put(struct buf *out, struct str address)
{
	return utf8_is_valid(address) ? put_utf8(out, address, "") : -1;
}

struct str orcpt_of(struct arena *mem, const struct envelope_rcpt *r)
{
	struct buf out = BUF_INIT(8 * 1024);
	struct str address = r->original.n > 0 ? r->original : r->address, made = { "", 0 };
	int err = 0;

	if (r->orcpt.n > 0 && !str_is_8bit(r->orcpt))
		return r->orcpt;
	/* Sec. 6: of a report, which asks for none itself, nobody is told. */
	if (r->orcpt.n == 0 && ((r->notify & NOTIFY_NEVER) || address.n > ORCPT_MAX_OCTETS))
		return r->orcpt;
	if (r->orcpt.n > 0) /* unitext, which not every server takes */
		err = put_utf8(&out, r->orcpt, "\\");
	else if (str_is_8bit(address) && buf_add_c(&out, "utf-8;") == 0)
		err = put_utf8(&out, address, "");
	else if (buf_add_c(&out, "rfc822;") == 0)
		xtext_encode(&out, address);
	if (err == 0 && out.n <= ORCPT_MAX_OCTETS)
		made = arena_dup(mem, buf_str(&out));
	buf_free(&out);
	return made;
}
