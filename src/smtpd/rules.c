/*
 * The dispatcher. What is the same for all verbs is decided here and only here: the order of commands (RFC 5321 sec.
 * 4.1.4), TLS first, EHLO first, no BDAT before, pipelining; the function of a row does what is special to its verb.
 */
#include "smtpd/smtpd.h"

enum state { ST_START, ST_HELLO, ST_MAIL, ST_RCPT, ST_BDAT };
#define IN(st)	     (1u << (st))
#define ANY	     (IN(ST_START) | IN(ST_HELLO) | IN(ST_MAIL) | IN(ST_RCPT) | IN(ST_BDAT))
#define ANY_BUT_BDAT (ANY & ~IN(ST_BDAT))
#define NO_MAIL	     (IN(ST_START) | IN(ST_HELLO))

enum need {
	CLEAR = 1,  /* may run in the clear where TLS is required (RFC 3207 sec. 4) */
	EHLO = 2,   /* only after EHLO */
	HELLO = 4,  /* only after EHLO or HELO, with smtpd_helo_required */
	LAST = 8,   /* last of a pipelined group (RFC 2920 sec. 3.1) */
	JUNK = 16,  /* counts towards smtpd_junk_command_limit */
	NAME = 32,  /* waits for the client's name */
	NO_ARG = 64 /* takes no argument */
};

struct rule {
	enum smtp_verb verb;
	const char *name;	 /* in the "disconnect" line */
	unsigned allowed;	 /* IN(state) */
	enum smtp_reply refusal; /* in another state */
	unsigned needs;
	enum outcome (*run)(struct session *s, struct str arg);
	unsigned extension; /* bit of the extension that it belongs to: hidden with it (smtpd_discard_ehlo_keywords) */
};

/* clang-format off */
static const struct rule rules[] = {
	/* verb          name        allowed in                 else                needs                  run          extension */
	{ VERB_HELO,     "helo",     ANY,                       REPLY_OK,           CLEAR | LAST | JUNK,   do_helo,     0 }, /* RFC 5321 4.1.1.1 */
	{ VERB_EHLO,     "ehlo",     ANY,                       REPLY_OK,           CLEAR | LAST | JUNK,   do_ehlo,     0 }, /* RFC 5321 4.1.1.1 */
	{ VERB_MAIL,     "mail",     NO_MAIL,                   REPLY_NESTED_MAIL,  HELLO | NAME,          do_mail,     0 }, /* RFC 5321 4.1.1.2 */
	{ VERB_RCPT,     "rcpt",     IN(ST_MAIL) | IN(ST_RCPT), REPLY_NEED_MAIL,    NAME,                  do_rcpt,     0 }, /* RFC 5321 4.1.1.3 */
	{ VERB_DATA,     "data",     IN(ST_RCPT),               REPLY_NEED_RCPT,    LAST | NO_ARG,         do_data,     0 }, /* RFC 5321 4.1.1.4 */
	{ VERB_BDAT,     "bdat",     ANY,                       REPLY_NEED_RCPT,    0,                     do_bdat,     EXT_BIT(EXT_CHUNKING) }, /* RFC 3030 2 */
	{ VERB_RSET,     "rset",     ANY,                       REPLY_OK,           JUNK | NO_ARG,         do_rset,     0 }, /* RFC 5321 4.1.1.5 */
	{ VERB_NOOP,     "noop",     ANY,                       REPLY_OK,           CLEAR | LAST | JUNK,   do_noop,     0 }, /* RFC 5321 4.1.1.9 */
	{ VERB_QUIT,     "quit",     ANY,                       REPLY_OK,           CLEAR | NO_ARG,        do_quit,     0 }, /* RFC 5321 4.1.1.10 */
	{ VERB_VRFY,     "vrfy",     ANY_BUT_BDAT,              REPLY_BDAT_MIXED,   LAST | JUNK | NAME,    do_vrfy,     EXT_BIT(EXT_VRFY) }, /* RFC 5321 4.1.1.6 */
	{ VERB_EXPN,     "expn",     ANY_BUT_BDAT,              REPLY_BDAT_MIXED,   LAST | JUNK | NAME,    do_expn,     EXT_BIT(EXT_EXPN) }, /* RFC 5321 4.1.1.7 */
	{ VERB_HELP,     "help",     ANY,                       REPLY_OK,           JUNK,                  do_help,     EXT_BIT(EXT_HELP) }, /* RFC 5321 4.1.1.8 */
	{ VERB_ETRN,     "etrn",     NO_MAIL,                   REPLY_NESTED_MAIL,  HELLO | JUNK | NAME,   do_etrn,     EXT_BIT(EXT_ETRN) }, /* RFC 1985 */
	{ VERB_AUTH,     "auth",     NO_MAIL,                   REPLY_AUTH_IN_MAIL, EHLO | NAME,           do_auth,     EXT_BIT(EXT_AUTH) }, /* RFC 4954 4 */
	{ VERB_XCLIENT,  "xclient",  NO_MAIL,                   REPLY_AUTH_IN_MAIL, CLEAR | LAST | NAME,   do_xclient,  EXT_BIT(EXT_XCLIENT) }, /* Postfix's XCLIENT_README */
	{ VERB_XFORWARD, "xforward", NO_MAIL,                   REPLY_AUTH_IN_MAIL, NAME,                  do_xforward, EXT_BIT(EXT_XFORWARD) }, /* Postfix's XFORWARD_README */
	{ VERB_STARTTLS, "starttls", ANY_BUT_BDAT,              REPLY_BDAT_MIXED,   EHLO | CLEAR | NO_ARG, do_starttls, EXT_BIT(EXT_STARTTLS) }, /* RFC 3207 4 */
};
/* clang-format on */

static const struct rule *rule_of(enum smtp_verb v)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (rules[i].verb == v)
			return &rules[i];
	return NULL;
}

/* Derived, never stored: no way out of a transaction can leave a wrong state behind. */
static enum state state_of(const struct session *s)
{
	const struct transaction *t = s->tx;

	if (t == NULL)
		return s->hello == HELLO_NONE ? ST_START : ST_HELLO;
	if (t->in_chunks)
		return ST_BDAT;
	return t->n_accepted ? ST_RCPT : ST_MAIL;
}

const char *verb_text(enum smtp_verb v)
{
	const struct rule *r = rule_of(v);

	return r ? r->name : "unknown";
}

bool rules_needs_name(struct str line)
{
	struct smtp_command cmd;
	const struct rule *r;

	smtp_command_parse(line, &cmd);
	r = rule_of(cmd.verb);
	return r && (r->needs & NAME);
}

/* A bad line of SMTP, with an error of its own: it says nothing of another protocol. */
static bool is_line_fault(char c)
{
	return c == '\r' || c == '\n' || c == '\0';
}

/*
 * A web browser or a worm, not a mail client: nothing that it says is worth an answer. Of tables the default's one is
 * known here, which says that no command begins with anything but a letter (a TLS handshake, for example).
 */
static bool is_forbidden(const struct session *s, struct str word)
{
	struct str rest = str_c(s->service->forbidden_commands), w;

	while (str_word(&rest, ", \t\r\n", &w)) {
		if (str_ieq(w, word))
			return true;
		if (str_has_prefix(w, STR("regexp:{{/^[^A-Z]/")) && word.n && !ascii_is_alpha(word.p[0]) &&
			!is_line_fault(word.p[0]))
			return true;
	}
	return false;
}

/* "PUT / HTTP/1.1", "INVITE sip:a@b SIP/2.0", "SSH-2.0-x": no verb of SMTP, and a name of theirs where theirs have it. */
static bool is_other_protocol(const struct session *s, const struct smtp_command *cmd)
{
	ptrdiff_t blank = str_rchr(cmd->arg, ' ');
	struct str last = str_trim(str_from(cmd->arg, (size_t)(blank + 1)));

	if (cmd->verb != VERB_NONE || *s->service->forbidden_commands == '\0')
		return false;
	return str_has_prefix(last, STR("HTTP/")) || str_has_prefix(last, STR("SIP/")) ||
	       str_has_prefix(last, STR("RTSP/")) || str_has_prefix(cmd->word, STR("SSH-"));
}

bool rules_is_foreign(struct session *s, struct str line)
{
	struct smtp_command cmd;

	smtp_command_parse(line, &cmd);
	if (!is_forbidden(s, cmd.word) && !is_other_protocol(s, &cmd))
		return false;
	log_warn("non-SMTP command from %s: %.*s", client_text(s), STR_ARG(str_sub(line, 0, 100)));
	replyf(s, 221, "2.7.0", "Error: I can break rules, too. Goodbye.");
	return true;
}

static enum outcome unknown_told(struct session *s, bool taken)
{
	if (taken)
		reply(s, REPLY_UNKNOWN_COMMAND);
	return R_DONE;
}

static enum outcome unknown_command(struct session *s, struct str line)
{
	s->junk++;
	return milter_tell_unknown(s, line, unknown_told);
}

static enum smtp_reply refusal_of(const struct session *s, const struct rule *r)
{
	enum state state = state_of(s);

	if (state == ST_BDAT && r->verb != VERB_MAIL)
		return REPLY_BDAT_MIXED;
	if (r->verb == VERB_DATA && state == ST_MAIL)
		return REPLY_NO_VALID_RCPTS;
	return r->refusal;
}

/* REPLY_OK: it may run. */
static enum smtp_reply check_rule(const struct session *s, const struct rule *r, struct str arg)
{
	if (s->tls == NULL && s->service->tls_level == LEVEL_ENCRYPT && !(r->needs & CLEAR))
		return REPLY_NEED_STARTTLS;
	if (r->extension & s->hidden)
		return REPLY_NOT_IMPLEMENTED;
	if ((r->needs & EHLO) && s->hello != HELLO_EHLO)
		return REPLY_NEED_HELO;
	if ((r->needs & HELLO) && s->hello == HELLO_NONE && s->service->helo_required)
		return REPLY_NEED_HELO;
	if (!(r->allowed & IN(state_of(s))))
		return refusal_of(s, r);
	if ((r->needs & NO_ARG) && arg.n)
		return r->verb == VERB_DATA   ? REPLY_DATA_SYNTAX
		       : r->verb == VERB_RSET ? REPLY_RSET_SYNTAX
		       : r->verb == VERB_QUIT ? REPLY_OK
					      : REPLY_STARTTLS_SYNTAX;
	return REPLY_OK;
}

/* Commands sent ahead where RFC 2920 sec. 3.1 forbids it, or before EHLO allowed it. True: end the session. */
static bool sent_ahead(struct session *s, const struct rule *r)
{
	bool pipelining = s->hello == HELLO_EHLO && (s->extensions & EXT_BIT(EXT_PIPELINING));

	if (!s->more_input || s->sent_ahead)
		return s->sent_ahead && s->service->forbid_pipelining;
	if (r && r->verb == VERB_BDAT) /* what stands behind it is its chunk (RFC 3030 sec. 2) */
		return false;
	if (pipelining && !(r && (r->needs & LAST)))
		return false;
	if (r && r->verb == VERB_QUIT)
		return false;
	s->sent_ahead = true;
	log_info("improper command pipelining after %s from %s", state_name(s), client_text(s));
	return s->service->forbid_pipelining;
}

static void count_junk(struct session *s, const struct rule *r)
{
	if (r && (r->needs & JUNK) && s->junk++ >= s->service->junk_limit)
		s->errors++;
}

enum outcome rules_run(struct session *s, struct str line)
{
	struct smtp_command cmd;
	const struct rule *r;
	enum smtp_reply refusal;

	enum outcome heard;

	smtp_command_parse(line, &cmd);
	r = rule_of(cmd.verb);
	s->verb = r ? r->verb : VERB_NONE;
	s->counted = s->after_message = false;
	s->count[s->verb].total++;
	if (r == NULL && rules_is_foreign(s, line))
		return R_CLOSE;
	if (sent_ahead(s, r)) {
		reply(s, REPLY_PIPELINING);
		return R_CLOSE;
	}
	count_junk(s, r);
	if (r == NULL)
		return unknown_command(s, line);
	refusal = check_rule(s, r, cmd.arg);
	s->bdat_refusal = refusal; /* the octets of a refused chunk must be skipped first */
	if (refusal != REPLY_OK && r->verb != VERB_BDAT) {
		reply(s, refusal);
		return R_DONE;
	}
	return milter_refuses(s, r->verb, &heard) ? heard : r->run(s, cmd.arg);
}
