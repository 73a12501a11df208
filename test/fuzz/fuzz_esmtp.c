/* Parameters of MAIL and RCPT (smtp/esmtp.h). The first octet says which extensions were offered. */
#include "base/log.h"
#include "base/utf8.h"
#include "smtp/esmtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void no_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		require((unsigned char)s.p[i] >= 32 && s.p[i] != 127);
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
	} else
		require(bad.n > 0);
	if (rcpt_params_parse(in, offered, &rcpt, &bad) == 0) {
		no_control(rcpt.orcpt);
		require(rcpt.orcpt.n <= 500 && rcpt.notify < 16);
	} else
		require(bad.n > 0);
	esmtp_mask(in);
	arena_free(&mem);
	return 0;
}
