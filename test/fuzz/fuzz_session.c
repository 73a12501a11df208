/*
 * A whole SMTP session (src/smtpd): commands, DATA, BDAT, restrictions, the log; no TLS, no AUTH service. The first
 * octet says who the client is and how its octets are cut. Checked: every answer is an SMTP reply, and after the client
 * is gone nothing is left.
 */
#include "smtpd/test_rig.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_replies(struct str said)
{
	struct str line;

	while (str_field(&said, "\n", &line)) {
		if (line.n == 0 && said.p == NULL)
			return;
		require(line.n >= 5 && line.n <= 512 && line.p[line.n - 1] == '\r');
		require(line.p[0] >= '2' && line.p[0] <= '5' && ascii_is_digit(line.p[1]) && ascii_is_digit(line.p[2]));
		require(line.p[3] == ' ' || line.p[3] == '-');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const option[] = { "" };
	static const struct service *service;
	struct buf said = BUF_INIT(16 << 20);
	size_t step = 1, at = 1;
	int fd;

	if (service == NULL) {
		log_open(LOG_TO_FD, "fuzz", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
		rig_open("message_size_limit = 20000\nsmtpd_recipient_limit = 20\nhopcount_limit = 10\n"
			 "smtpd_authorized_xclient_hosts = 0.0.0.0/0\nsmtpd_authorized_xforward_hosts = 0.0.0.0/0\n"
			 "smtpd_sender_restrictions = check_sender_access inline:{ {a@x.example = REJECT} "
			 "{b@x.example = 450 4.7.1 later} {c@x.example = reject_unlisted_sender} }\n"
			 "smtpd_data_restrictions = reject_unauth_pipelining, reject_multi_recipient_bounce\n",
			option, 1);
		service = &smtpd.service[0];
	}
	if (n < 1)
		return 0;
	step = (p[0] & 127) == 0 ? n : (size_t)(p[0] & 127);
	fd = rig_connect(service, p[0] & 128 ? "10.1.1.1" : "192.0.2.1");
	for (; at < n; at += step) {
		send(fd, p + at, n - at < step ? n - at : step, MSG_NOSIGNAL);
		rig_run(fd, &said);
	}
	rig_run(fd, &said);
	check_replies(buf_str(&said));
	rig_close(fd);
	require(smtpd.n_sessions == 0);
	buf_free(&said);
	return 0;
}
