/*
 * What authd may say to authpam, and the process that asked PAM to authpam and authd: octet 0 says which. Oracle: what is taken
 * says the same when it is written again, and is within its limits.
 */
#include "base/log.h"
#include "msg/pam_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct str octets)
{
	struct buf out = IPC_BUF;
	struct pam_ask a;

	if (pam_ask_decode(&(struct ipc_in){ .rest = octets }, &a) == 0) {
		require(a.service.n > 0 && a.service.p[0] != '.' && str_chr(a.service, '/') < 0);
		require(a.user.n > 0 && str_chr(a.user, '\0') < 0 && str_chr(a.pass, '\0') < 0);
		pam_ask_encode(&out, &a);
		require(str_eq(buf_str(&out), octets));
	}
	buf_wipe(&out);
}

static void answer(struct str octets)
{
	struct buf out = BUF_INIT(PAM_ANSWER_MAX);
	struct pam_answer a;

	if (pam_answer_decode(&(struct ipc_in){ .rest = octets }, &a) == 0) {
		pam_answer_encode(&out, &a);
		require(str_eq(buf_str(&out), octets));
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		(data[0] & 1 ? ask : answer)(str_pn(data + 1, size - 1));
	return 0;
}
