/* esmtp_manual.c - the table of extensions as the body of the manual page esmtp(5). */
#include "smtp/esmtp.h"

static const char *when_text(enum esmtp_when when)
{
	static const char *const texts[] = {
		[WHEN_ALWAYS] = "always",
		[WHEN_CLEAR] = "without TLS",
		[WHEN_TLS] = "under TLS only",
		[WHEN_SUBMISSION] = "on services with a list of restrictions that ends in reject",
		[WHEN_OURS] = "to clients that are logged in or in mynetworks",
	};

	return texts[when];
}

static const char *pass_text(enum esmtp_pass pass)
{
	static const char *const texts[] = {
		[PASS_NOT] = "Concerns this one session.",
		[PASS_KNOWN] =
			"Its parameters go to a next hop that announces it; to another the mail goes without them.",
		[PASS_CONVERTED] = "For a next hop that does not announce it the message is converted, else returned.",
		[PASS_RETURNED] =
			"Mail that needs it never goes to a next hop that does not announce it: it is returned.",
	};

	return texts[pass];
}

static void put_text(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '-')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
		if (*text == '\\')
			out->p[out->n - 1] = 'e';
	}
}

static void put_params(struct buf *out, const char *command, const char *params)
{
	if (*params == '\0')
		return;
	buf_addf(out, "%s: \\fI", command);
	put_text(out, params);
	buf_add_c(out, "\\fR\n.br\n");
}

void esmtp_manual(struct buf *out)
{
	for (enum esmtp_ext e = 0; e < EXT_COUNT; e++) {
		const struct esmtp_keyword *k = esmtp_row(e);

		buf_add_c(out, ".TP\n\\fB");
		put_text(out, k->keyword);
		buf_addf(out, "\\fR (%s; offered %s)\n", k->rfc, when_text(k->when));
		put_params(out, "MAIL", k->mail);
		put_params(out, "RCPT", k->rcpt);
		put_text(out, pass_text(k->pass));
		buf_add_char(out, '\n');
		if (*k->about == '\0')
			continue;
		put_text(out, k->about);
		buf_add_char(out, '\n');
	}
}
