/*
 * XFORWARD to a server that offers it (Postfix's XFORWARD_README): from whom we have the next message. What it answers does
 * not matter: the message goes there as well without.
 */
#include "smtp/client_own.h"

#include "smtp/command.h"
#include "smtp/esmtp.h"

enum { XFORWARD_MAX = 512 }; /* octets of the line with CRLF: RFC 5321 sec. 4.5.3.1.4 */

void client_forward_offered(struct smtp_client *c, struct str list)
{
	struct str word;

	while (str_word(&list, " \t", &word))
		for (enum smtp_attribute a = 0; a < ATTR_COUNT; a++)
			if (str_ieq(word, str_c(smtp_attribute_name(a))))
				c->forward_attributes |= ATTR_BIT(a);
}

static void put_attribute(const struct smtp_attributes *f, enum smtp_attribute a, struct buf *line)
{
	struct buf word = BUF_INIT(XFORWARD_MAX);

	buf_addf(&word, " %s=", smtp_attribute_name(a));
	if (f->value[a].n)
		xtext_encode(&word, f->value[a]);
	else
		buf_add_c(&word, "[UNAVAILABLE]");
	if (line->n + word.n + 2 <= XFORWARD_MAX)
		buf_add_str(line, buf_str(&word));
	buf_free(&word);
}

void client_forward_begin(struct smtp_client *c)
{
	const struct smtp_attributes *f = c->message->forward;

	c->forward_open = false;
	c->forward_due = f && (c->offered & EXT_BIT(EXT_XFORWARD)) && (f->given & c->forward_attributes);
}

bool client_forward_holds(struct smtp_client *c)
{
	struct buf line = BUF_INIT(XFORWARD_MAX);

	if (c->forward_due) {
		buf_add_c(&line, "XFORWARD");
		for (enum smtp_attribute a = 0; a < ATTR_COUNT; a++)
			if (c->message->forward->given & c->forward_attributes & ATTR_BIT(a))
				put_attribute(c->message->forward, a, &line);
		buf_addf(&c->out, "%.*s\r\n", STR_ARG(buf_str(&line)));
		c->forward_due = false;
		c->forward_open = true;
	}
	buf_free(&line);
	return c->forward_open && !(c->offered & EXT_BIT(EXT_PIPELINING));
}
