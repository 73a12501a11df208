/*
 * Foreign octets in every place of a delivery report that has any. What must hold: every line ends in CRLF and is at
 * most 998 octets long, the header has just its fields, and the boundary stands before each part and at the end alone.
 */
#include "base/log.h"
#include "mime/dsn.h"
#include "mime/dsn_text.h"

#include <stdlib.h>

static bool is_our_field(struct str line)
{
	static const char *const names[] = { "Received: ", "Date: ", "From: ", "Subject: ", "To: ", "Auto-Submitted: ",
		"MIME-Version: ", "Content-Type: ", "Content-Transfer-Encoding: ", "Message-Id: ", " ", "\t" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_has_prefix(line, str_c(names[i])))
			return true;
	return false;
}

static void check_report(struct str report, unsigned parts)
{
	bool in_header = true;
	struct str line, boundary = { "", 0 };
	unsigned boundaries = 0;

	require(str_has_suffix(report, STR("--\r\n")));
	report.n--; /* the last LF begins no line */
	while (str_field(&report, "\n", &line)) {
		require(str_has_suffix(line, STR("\r")) && line.n <= 999);
		line.n--;
		require(memchr(line.p, '\r', line.n) == NULL && memchr(line.p, '\0', line.n) == NULL);
		if (str_has_prefix(line, STR("\tboundary=\"")))
			boundary = str_sub(line, 11, line.n - 12);
		if (line.n == 0)
			in_header = false;
		require(!in_header || is_our_field(line));
		if (str_has_prefix(line, STR("--")) && boundary.n > 0 && str_has_prefix(str_from(line, 2), boundary))
			boundaries++;
	}
	require(boundaries == parts + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_pn(data, size), part[10] = { { "", 0 } };
	struct envelope_rcpt to = { .index = 0 };
	struct envelope env = { .id = 1, .rcpt = &to, .n_rcpt = 1 };
	struct dsn_rcpt rcpt = { .rcpt = &to, .diagnostic_is_smtp = true, .will_retry_until = 1 };
	struct dsn_report r = {
		.report_id = 2, .env = &env, .rcpt = &rcpt, .n_rcpt = 1, .original = STR("A: b\r\n\r\n")
	};
	struct buf out = BUF_INIT(100000);
	uint8_t flags = size > 0 ? data[0] : 0;

	rest = str_from(rest, 1);
	for (size_t i = 0; i < sizeof part / sizeof *part; i++)
		str_field(&rest, "\xfe", &part[i]);
	r.kind = (enum dsn_kind)(flags % 3);
	rcpt.action = (enum dsn_action)(flags / 3 % 5);
	env.flags = flags & 0x80 ? ENV_SMTPUTF8 : 0;
	r.original_is_full = (flags & 0x40) != 0;
	r.original_is_lost = (flags & 0x40) == 0 && size % 2;
	env.sender = part[0];
	env.envid = part[1];
	to.address = part[2];
	to.original = part[3];
	to.orcpt = part[4];
	rcpt.status = part[5];
	rcpt.remote_mta = part[6];
	rcpt.diagnostic = part[7];
	rcpt.text = part[8];
	r.myhostname = str_sub(part[9], 0, 100);
	if (dsn_put(&out, &r) == 0)
		check_report(buf_str(&out), r.original_is_lost ? 2 : 3);
	buf_free(&out);
	return 0;
}
