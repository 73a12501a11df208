/* sendmail_hand_over.c - one message, each of its envelopes as a submission of its own. */
#include "base/log.h"
#include "ctl/sendmail.h"
#include "ctl/submit.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

static int keep(const char *program, struct str text)
{
	errno = 0;
	if (submit_can_keep() && submit_keep(text) == 0)
		return EX_OK;
	fprintf(stderr, "%s: fatal: the mail system is down, and the message cannot be kept in maildrop: %s\n", program,
		errno ? strerror(errno) : "it is the directory of another user");
	return EX_TEMPFAIL;
}

static int hand_over(const char *program, struct str text)
{
	struct buf said = BUF_INIT(1 << 20);
	int fd = submit_connect();
	enum submit_result r = fd < 0 ? SUBMIT_DOWN : submit_send(fd, text, &said);

	if (said.n && r != SUBMIT_LATER) /* later, pickup reports it */
		fprintf(stderr, "%s: %s: %s", program, r == SUBMIT_PARTLY ? "warning" : "fatal", said.p);
	buf_free(&said);
	switch (r) {
	case SUBMIT_DONE:
		return EX_OK;
	case SUBMIT_PARTLY:
		return EX_NOUSER;
	case SUBMIT_REFUSED:
		return EX_UNAVAILABLE;
	case SUBMIT_LATER:
	case SUBMIT_DOWN:
		break;
	}
	return keep(program, text);
}

/* Once anybody has it, it must not be sent to all of them again: then nothing is "try again" or "nobody has it". */
static int both(int a, int b)
{
	if (a == b)
		return a;
	if (a == EX_OK || a == EX_NOUSER || b == EX_OK || b == EX_NOUSER)
		return EX_NOUSER;
	return EX_TEMPFAIL;
}

static void say_without(const char *program, struct str rcpts)
{
	struct str rcpt;

	while (str_word(&rcpts, "\n", &rcpt))
		fprintf(stderr, "%s: fatal: not taken for %.*s\n", program, STR_ARG(rcpt));
}

int sendmail_hand_over(
	const char *program, const struct envelope_options *o, struct str sender, struct str rcpts, struct str content)
{
	struct buf text = BUF_INIT(SIZE_MAX / 4);
	struct str all = rcpts;
	int code = -1;

	while (rcpts.n) {
		struct str share = rcpts;
		int one;

		buf_reset(&text);
		require(envelope_next(o, sender, &rcpts, &text) == 0);
		share.n -= rcpts.n;
		buf_add_c(&text, "DATA\r\n");
		buf_add_str(&text, content);
		one = hand_over(program, buf_str(&text));
		if (share.n < all.n && (one == EX_UNAVAILABLE || one == EX_TEMPFAIL))
			say_without(program, share);
		code = code < 0 ? one : both(code, one);
	}
	buf_free(&text);
	return code < 0 ? EX_OK : code; /* there was nobody to send it to */
}
