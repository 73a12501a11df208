/* Parameters of MAIL and RCPT (smtp/esmtp.h). The first octet says which extensions were offered. */
#include "base/log.h"
#include "base/utf8.h"
#include "smtp/datetime.h"
#include "smtp/esmtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void no_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		require((unsigned char)s.p[i] >= 32 && s.p[i] != 127);
}

/* What was taken is written, for a server that knows all of it, so that it is taken as the same again. */
static void round_trip(const struct mail_params *mail, const struct rcpt_params *rcpt, struct arena *mem)
{
	struct buf out = BUF_INIT(65536), again = BUF_INIT(65536);
	struct mail_params m;
	struct rcpt_params r;
	struct str bad;

	if (mail) {
		mail_params_put(&out, mail, ~0u);
		require(mail_params_parse(buf_str(&out), ~0u, mem, &m, &bad) == 0);
		mail_params_put(&again, &m, ~0u);
	} else {
		rcpt_params_put(&out, rcpt, ~0u);
		require(rcpt_params_parse(buf_str(&out), ~0u, &r, &bad) == 0);
		rcpt_params_put(&again, &r, ~0u);
	}
	require(str_eq(buf_str(&out), buf_str(&again)) && str_chr(buf_str(&out), '\r') < 0);
	buf_free(&out);
	buf_free(&again);
}

static void dates(struct str in)
{
	struct buf out = BUF_INIT(64);
	int64_t seconds, again;

	if (datetime_parse(in, &seconds) == 0) {
		datetime_put(&out, seconds);
		require(datetime_parse(buf_str(&out), &again) == 0 && again == seconds);
	}
	if (datetime_parse_mail(in, &seconds) == 0)
		require(seconds >= 0);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct mail_params mail;
	struct rcpt_params rcpt;
	struct arena *mem;
	struct str in, bad;
	unsigned offered;

	if (n == 0)
		return 0;
	offered = p[0] ? ~(unsigned)p[0] << 3 : ~0u;
	in = str_pn(p + 1, n - 1);
	mem = arena_new(0);
	if (mail_params_parse(in, offered, mem, &mail, &bad) == 0) {
		no_control(mail.auth);
		no_control(mail.envid);
		require(mail.envid.n <= 100 && utf8_is_valid(mail.auth) && bad.n == 0);
		require(mail.priority >= -9 && mail.priority <= 9 && mail.solicit.n <= 1000);
		round_trip(&mail, NULL, mem);
	} else
		require(bad.n > 0);
	if (rcpt_params_parse(in, offered, &rcpt, &bad) == 0) {
		no_control(rcpt.orcpt);
		require(rcpt.orcpt.n <= 500 && rcpt.notify < 16);
		round_trip(NULL, &rcpt, mem);
	} else
		require(bad.n > 0);
	esmtp_mask(in);
	dates(in);
	arena_free(&mem);
	return 0;
}
