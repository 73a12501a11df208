/*
 * command.h - parse one SMTP command line (RFC 5321 sec. 4.1.1).
 *
 * Octets in, struct out: no socket, no reply text, no policy. Which command may follow which (sec. 4.1.4) is
 * smtpd/rules.c.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "base/buf.h"
#include "base/str.h"

enum smtp_verb {
	VERB_NONE,
	VERB_EHLO,
	VERB_HELO,
	VERB_LHLO,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_BDAT,
	VERB_RSET,
	VERB_NOOP,
	VERB_QUIT,
	VERB_VRFY,
	VERB_EXPN,
	VERB_HELP,
	VERB_ETRN,
	VERB_AUTH,
	VERB_STARTTLS,
	VERB_XCLIENT,
	VERB_XFORWARD,
	VERB_COUNT
};

enum { SMTP_COMMAND_MAX = 2048, SMTP_AUTH_MAX = 12288 + 2 }; /* octets with CRLF; AUTH lines: RFC 4954 sec. 4 */

enum smtp_line_error {	/* returned negated */
	SMTP_ELONG = 1, /* over the limit (RFC 5321 sec. 4.5.3.1.4): 500 5.5.2; *used drops what is there, the rest
			 * up to LF is dropped with it: one error, never two commands */
	SMTP_EBARE,	/* CR alone (sec. 2.3.8): 500 5.5.2 */
	SMTP_ENUL,	/* a NUL octet (sec. 4.1.2): 501 5.5.2 */
	SMTP_ELF /* LF alone (sec. 2.3.8; see take_lf): 500 5.5.2, and hang up. It ends no line, and what is behind
			 * it no command: only the end of the session keeps that so, and answers who waits for it. */
};

/* Reads lines; keeps only whether it is inside an overlong line. Zeroed to begin. */
struct smtp_line_reader {
	bool skipping, skipped_cr; /* the last octet of it was a CR */
	bool take_lf; /* LF alone ends a line too (smtpd_forbid_bare_newline = normalize; what `openssl s_client`
			 * sends without -crlf); set by the caller. CR alone is an error all the same. */
};

/*
 * The next line of `in` without its CRLF. *used: octets to consume (always set; with 0 it is what is left of an
 * overlong line). The way the input is split never changes the result.
 * Returns 1: a line; 0: no full line yet; < 0: -enum smtp_line_error (the line is over; go on after *used).
 */
int smtp_line_next(struct smtp_line_reader *r, struct str in, size_t max, size_t *used, struct str *line);

struct smtp_command {
	enum smtp_verb verb; /* VERB_NONE: keyword unknown */
	struct str word;     /* the keyword as it was sent */
	struct str arg;	     /* all after it, without spaces and tabs at both ends */
};

/* Cut a line into keyword and argument. Never fails. */
void smtp_command_parse(struct str line, struct smtp_command *cmd);

/* "FROM:<a@b> SIZE=1": prefix "FROM:" or "TO:". */
struct smtp_path_arg {
	struct str path;   /* between the angle brackets, source route cut (RFC 5321 appendix C); n == 0 for <> */
	struct str params; /* all after it: "SIZE=1 BODY=8BITMIME" */
	bool bracketed;	   /* false: "MAIL FROM:a@b", which Postfix takes unless strict_rfc821_envelopes */
};
/* Returns 0; -1: syntax (501 5.5.4). */
int smtp_path_parse(struct str arg, struct str prefix, struct smtp_path_arg *out);

/* The next KEY[=value] of params. 1: there is one; 0: end; -1: syntax. value.p == NULL: no "=" was there. */
int smtp_param_next(struct str *params, struct str *key, struct str *value);

/* xtext of RFC 3461 sec. 4: valid, and decoding to no control character? Decode into out (at least x.n octets). 0; -1:
 * no. Octets over 127 may come out of it. */
int xtext_decode(struct str x, char *out, size_t *n);
/* The reverse: append `plain` as xtext. */
void xtext_encode(struct buf *out, struct str plain);

#endif
