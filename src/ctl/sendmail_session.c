/* sendmail_session.c - sendmail -bs and -bv: talk to smtpd on public/submit. */
#include "ctl/header_addr.h"
#include "ctl/sendmail.h"
#include "ctl/socket.h"
#include "ctl/submit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { COPY_OCTETS = 65536 };

/* Replies, as they come. False: the end. */
static bool pass_replies(int from)
{
	char octets[COPY_OCTETS];
	ssize_t n = read(from, octets, sizeof octets);

	return n > 0 && ctl_write_all(STDOUT_FILENO, str_pn(octets, (size_t)n)) == 0;
}

/* What a program types: its lines end in LF or CRLF; behind us it is always CRLF. False: the end. */
static bool pass_lines(int to, bool *after_cr)
{
	char octets[COPY_OCTETS];
	struct buf out = BUF_INIT(2 * COPY_OCTETS);
	ssize_t n = read(STDIN_FILENO, octets, sizeof octets);
	bool good;

	for (ssize_t i = 0; i < n; i++) {
		if (octets[i] == '\n' && !*after_cr)
			buf_add_char(&out, '\r');
		buf_add_char(&out, octets[i]);
		*after_cr = octets[i] == '\r';
	}
	good = n > 0 && ctl_write_all(to, buf_str(&out)) == 0;
	buf_free(&out);
	return good;
}

int sendmail_session(int fd)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	bool after_cr = false;

	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return EX_OSERR;
		if (p[0].revents && !pass_replies(fd))
			return EX_OK;
		if (p[1].revents && !pass_lines(fd, &after_cr)) {
			shutdown(fd, SHUT_WR);
			p[1].fd = -1;
		}
	}
}

int sendmail_verify(int fd, int n, char **rcpt)
{
	struct buf in = BUF_INIT(65536), text = BUF_INIT(65536), line = BUF_INIT(65536);
	int bad = 0, code = submit_reply(fd, &in, &text);

	for (int i = 0; i < n && code > 0; i++) {
		struct buf addr = BUF_INIT(4096);

		header_addr_bare(rcpt[i], &addr);
		buf_reset(&line);
		buf_addf(&line, "VRFY %s%s", addr.p ? addr.p : "",
			header_addr_has_8bit(buf_str(&addr)) ? " SMTPUTF8" : "");
		buf_reset(&text);
		if (submit_line(&text, buf_str(&line)) != 0 || write(fd, text.p, text.n) != (ssize_t)text.n)
			return EX_DATAERR; /* a control character in it */
		code = submit_reply(fd, &in, &text);
		bad += code < 200 || code > 299;
		printf("%s... %s: %s\n", rcpt[i], code >= 200 && code < 300 ? "deliverable" : "undeliverable",
			text.p ? text.p : "");
		buf_free(&addr);
	}
	if (code < 0)
		return EX_TEMPFAIL;
	return bad ? EX_NOUSER : EX_OK;
}
