#include "msg/pam_msg.h"

static bool is_service(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
			return false;
	return s.n > 0 && s.n <= PAM_SERVICE_MAX && s.p[0] != '.';
}

static bool is_text(struct str s, size_t most)
{
	return s.n <= most && str_chr(s, '\0') < 0;
}

const char *pam_ask_check(const struct pam_ask *a)
{
	if (!is_service(a->service))
		return "the service is no name of a file in /etc/pam.d";
	if (a->user.n == 0 || !is_text(a->user, PAM_USER_MAX))
		return "the user name is none that PAM could take";
	if (!is_text(a->pass, PAM_PASS_MAX))
		return "the password is none that PAM could take";
	if (!is_text(a->address, PAM_ADDRESS_MAX))
		return "the client's address is none";
	return a->flags & ~(PAM_SETCRED | PAM_SESSION) ? "a flag that there is not" : NULL;
}

void pam_ask_encode(struct buf *out, const struct pam_ask *a)
{
	/* At once: memory that the buffer grew out of would still have the password. */
	buf_reserve(out, 5 + 4 * 4 + a->service.n + a->user.n + a->pass.n + a->address.n);
	ipc_put_u32(out, a->id);
	ipc_put_u8(out, a->flags);
	ipc_put_str(out, a->service);
	ipc_put_str(out, a->user);
	ipc_put_str(out, a->pass);
	ipc_put_str(out, a->address);
}

int pam_ask_decode(struct ipc_in *in, struct pam_ask *a)
{
	a->id = ipc_get_u32(in);
	a->flags = ipc_get_u8(in);
	a->service = ipc_get_str(in);
	a->user = ipc_get_str(in);
	a->pass = ipc_get_str(in);
	a->address = ipc_get_str(in);
	return ipc_get_end(in) && pam_ask_check(a) == NULL ? 0 : -1;
}

void pam_answer_encode(struct buf *out, const struct pam_answer *a)
{
	ipc_put_u32(out, a->id);
	ipc_put_u8(out, (uint8_t)a->result);
	ipc_put_str(out, a->user.n <= PAM_USER_MAX ? a->user : STR(""));
	ipc_put_str(out, str_sub(a->message, 0, PAM_TEXT_MAX));
	ipc_put_str(out, str_sub(a->why, 0, PAM_TEXT_MAX));
}

int pam_answer_decode(struct ipc_in *in, struct pam_answer *a)
{
	uint8_t result;

	a->id = ipc_get_u32(in);
	result = ipc_get_u8(in);
	a->user = ipc_get_str(in);
	a->message = ipc_get_str(in);
	a->why = ipc_get_str(in);
	a->result = (enum pam_says)result;
	return ipc_get_end(in) && result <= PAM_SAYS_FAILED && is_text(a->user, PAM_USER_MAX) &&
			       is_text(a->message, PAM_TEXT_MAX) && is_text(a->why, PAM_TEXT_MAX)
		       ? 0
		       : -1;
}
