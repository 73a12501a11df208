#include "smtp/client_own.h"

#include "base/utf8.h"

/* The words that Postfix's logs have for each step, so that tools which read those logs read ours. */
static const struct {
	const char *command;
	const char *doing;
} steps[] = {
	[CLIENT_STEP_GREETING] = { "initial server greeting", "receiving the initial server greeting" },
	[CLIENT_STEP_EHLO] = { "EHLO command", "performing the EHLO handshake" },
	[CLIENT_STEP_HELO] = { "HELO command", "performing the HELO handshake" },
	[CLIENT_STEP_LHLO] = { "LHLO command", "performing the LHLO handshake" },
	[CLIENT_STEP_STARTTLS] = { "STARTTLS command", "performing the STARTTLS handshake" },
	[CLIENT_STEP_TLS] = { "STARTTLS command", "performing the TLS handshake" },
	[CLIENT_STEP_AUTH] = { "AUTH command", "performing SASL authentication" },
	[CLIENT_STEP_IDLE] = { "no command", "waiting for the next message" },
	[CLIENT_STEP_XFORWARD] = { "XFORWARD command", "sending XFORWARD" },
	[CLIENT_STEP_MAIL] = { "MAIL FROM command", "sending MAIL FROM" },
	[CLIENT_STEP_RCPT] = { "RCPT TO command", "sending RCPT TO" },
	[CLIENT_STEP_DATA] = { "DATA command", "sending DATA command" },
	[CLIENT_STEP_BODY] = { "end of DATA command", "sending message body" },
	[CLIENT_STEP_DOT] = { "end of DATA command", "sending end of data -- message may be sent more than once" },
	[CLIENT_STEP_RSET] = { "RSET command", "sending RSET" },
	[CLIENT_STEP_QUIT] = { "QUIT command", "sending QUIT" },
	[CLIENT_STEP_OVER] = { "QUIT command", "closing the connection" },
};

const char *client_step_command(enum client_step s)
{
	return steps[s].command;
}

const char *client_step_doing(enum client_step s)
{
	return steps[s].doing;
}

void text_sanitise(struct buf *out, struct str in, size_t max)
{
	size_t start = out->n;

	while (in.n > 0) {
		bool is_blank = *in.p == '\n' || *in.p == '\t'; /* lines of one reply become one */
		struct str shown = utf8_take_visible(&in);

		if (out->n - start + shown.n > max)
			return;
		buf_add_str(out, is_blank ? STR(" ") : shown);
	}
}

void client_reply_text(const struct smtp_client *c, struct buf *out)
{
	buf_addf(out, "%03d ", c->reply.code);
	text_sanitise(out, buf_str(&c->reply.text), CLIENT_TEXT_MAX);
	while (out->n > 0 && out->p[out->n - 1] == ' ')
		out->p[--out->n] = '\0';
}
