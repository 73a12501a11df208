/* HELP (RFC 5321 sec. 4.1.1.8): the commands, or the syntax of one. What is hidden from this client is not in it. */
#include "smtpd/smtpd.h"

static const struct {
	enum smtp_verb verb;
	unsigned extension; /* that it belongs to; 0: none */
	const char *syntax;
} topics[] = {
	{ VERB_EHLO, 0, "EHLO domain" },
	{ VERB_HELO, 0, "HELO domain" },
	{ VERB_MAIL, 0, "MAIL FROM:<sender> [parameters]" },
	{ VERB_RCPT, 0, "RCPT TO:<recipient> [parameters]" },
	{ VERB_DATA, 0, "DATA" },
	{ VERB_BDAT, EXT_BIT(EXT_CHUNKING), "BDAT octets [LAST]" },
	{ VERB_RSET, 0, "RSET" },
	{ VERB_NOOP, 0, "NOOP [text]" },
	{ VERB_QUIT, 0, "QUIT" },
	{ VERB_HELP, EXT_BIT(EXT_HELP), "HELP [command]" },
	{ VERB_VRFY, EXT_BIT(EXT_VRFY), "VRFY address [SMTPUTF8]" },
	{ VERB_EXPN, EXT_BIT(EXT_EXPN), "EXPN address [SMTPUTF8]" },
	{ VERB_ETRN, EXT_BIT(EXT_ETRN), "ETRN domain" },
	{ VERB_AUTH, EXT_BIT(EXT_AUTH), "AUTH mechanism [initial-response]" },
	{ VERB_STARTTLS, EXT_BIT(EXT_STARTTLS), "STARTTLS" },
};

static bool is_shown(const struct session *s, size_t i)
{
	return topics[i].extension == 0 || (topics[i].extension & s->service->extensions & ~s->hidden);
}

static enum outcome help_on(struct session *s, struct str word)
{
	struct smtp_command cmd;

	smtp_command_parse(word, &cmd);
	for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
		if (cmd.verb == topics[i].verb && is_shown(s, i)) {
			replyf(s, 214, "2.0.0", "Syntax: %s", topics[i].syntax);
			return R_DONE;
		}
	replyf(s, 504, "5.5.4", "Error: no help on that; HELP lists what there is");
	return R_DONE;
}

enum outcome do_help(struct session *s, struct str arg)
{
	if (arg.n)
		return help_on(s, arg);
	reply_moref(s, 214, "2.0.0", "The commands of this server:");
	for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
		if (is_shown(s, i))
			reply_moref(s, 214, "2.0.0", "  %s", topics[i].syntax);
	replyf(s, 214, "2.0.0", "For mail to a person here: postmaster. The parameters are those that EHLO announces.");
	return R_DONE;
}
