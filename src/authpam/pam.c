#include "authpam/authpam.h"

#include <security/pam_appl.h>
#include <stdlib.h>

struct talk {
	const struct pam_ask *ask;
	struct arena *mem;
	const char *said, *prompt; /* what a module had to say; what it asked with; NULL: nothing */
};

/* libpam frees it, and wipes it before. */
static char *reply_with(struct str s)
{
	return xstrndup(s);
}

static int reply(struct talk *t, const struct pam_message *m, struct pam_response *r)
{
	const char *text = arena_cdup(t->mem, str_c(m->msg));

	switch (m->msg_style) {
	case PAM_PROMPT_ECHO_OFF:
		t->prompt = text;
		r->resp = reply_with(t->ask->pass);
		return 0;
	case PAM_PROMPT_ECHO_ON:
		r->resp = reply_with(t->ask->user);
		return 0;
	case PAM_ERROR_MSG:
	case PAM_TEXT_INFO:
		t->said = text;
		return 0;
	default:
		return -1;
	}
}

static void drop(struct pam_response *r, int n)
{
	for (int i = 0; i < n; i++)
		if (r[i].resp) {
			mem_wipe(r[i].resp, strlen(r[i].resp));
			free(r[i].resp);
		}
	free(r);
}

static int on_talk(int n, const struct pam_message **m, struct pam_response **out, void *data)
{
	struct pam_response *r;

	*out = NULL;
	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	r = xcalloc((size_t)n, sizeof *r);
	for (int i = 0; i < n; i++)
		if (reply((struct talk *)data, m[i], &r[i]) < 0) {
			drop(r, n);
			return PAM_CONV_ERR;
		}
	*out = r;
	return PAM_SUCCESS;
}

/* authd delays what fails, and all of it alike; a process that sleeps here is one less for the others. */
static void no_delay(int status, unsigned microseconds, void *data)
{
	(void)status;
	(void)microseconds;
	(void)data;
}

static void set_items(pam_handle_t *pam, const struct pam_ask *ask, struct arena *mem)
{
	void (*delay)(int, unsigned, void *) = no_delay;
	const void *item;

	memcpy(&item, &delay, sizeof item);
	pam_set_item(pam, PAM_FAIL_DELAY, item);
	if (ask->address.n)
		pam_set_item(pam, PAM_RHOST, arena_cdup(mem, ask->address));
	pam_set_item(pam, PAM_RUSER, arena_cdup(mem, ask->user));
	pam_set_item(pam, PAM_TTY, "dovecot"); /* what rules of pam_access and others for Dovecot go by */
}

/* In Dovecot's order. *step is what said the result. */
static int all_steps(pam_handle_t *pam, unsigned flags, const char **step)
{
	int r;

	*step = "pam_authenticate";
	/* An account without a password is let in by pam_unix's nullok (Debian's common-auth has it) whatever is said. */
	r = pam_authenticate(pam, PAM_DISALLOW_NULL_AUTHTOK);
	if (r == PAM_SUCCESS && (flags & PAM_SETCRED)) {
		*step = "pam_setcred";
		r = pam_setcred(pam, PAM_ESTABLISH_CRED);
	}
	if (r == PAM_SUCCESS) {
		*step = "pam_acct_mgmt";
		r = pam_acct_mgmt(pam, 0);
	}
	if (r == PAM_SUCCESS && (flags & PAM_SESSION)) {
		*step = "pam_open_session";
		r = pam_open_session(pam, 0);
	}
	if (r == PAM_SUCCESS && (flags & PAM_SESSION)) {
		*step = "pam_close_session";
		r = pam_close_session(pam, 0);
	}
	return r;
}

static enum pam_says meaning(int status)
{
	/*
	 * Those that say nothing about the password: it may well be right. Not PAM_SYSTEM_ERR, which is how pam_exec says that
	 * its program said no.
	 */
	static const int failures[] = { PAM_OPEN_ERR, PAM_SYMBOL_ERR, PAM_SERVICE_ERR, PAM_BUF_ERR,
		PAM_AUTHINFO_UNAVAIL, PAM_CONV_ERR, PAM_ABORT, PAM_TRY_AGAIN, PAM_MODULE_UNKNOWN, PAM_BAD_ITEM,
		PAM_INCOMPLETE, PAM_CRED_UNAVAIL };

	for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
		if (status == failures[i])
			return PAM_SAYS_FAILED;
	return status == PAM_SUCCESS ? PAM_SAYS_OK : status == PAM_USER_UNKNOWN ? PAM_SAYS_UNKNOWN : PAM_SAYS_NO;
}

static struct str why(pam_handle_t *pam, int status, const char *step, struct arena *mem)
{
	if (status == PAM_SUCCESS || (status == PAM_AUTH_ERR && strcmp(step, "pam_authenticate") == 0))
		return STR(""); /* a password that does not match needs no more words */
	if (status == PAM_USER_UNKNOWN)
		return STR("unknown user");
	return str_c(arena_printf(mem, "%s: %s", step, pam_strerror(pam, status)));
}

void pam_run(const struct pam_ask *ask, struct arena *mem, struct pam_answer *answer)
{
	struct talk talk = { .ask = ask, .mem = mem };
	struct pam_conv conv = { on_talk, &talk };
	pam_handle_t *pam = NULL;
	const void *user = NULL;
	const char *step = "pam_start";
	int r = pam_start(arena_cdup(mem, ask->service), arena_cdup(mem, ask->user), &conv, &pam);

	*answer = (struct pam_answer){ .id = ask->id };
	if (r == PAM_SUCCESS) {
		set_items(pam, ask, mem);
		r = all_steps(pam, ask->flags, &step);
	}
	answer->result = pam || r == PAM_SUCCESS ? meaning(r) : PAM_SAYS_FAILED;
	answer->why = why(pam, r, step, mem);
	answer->message = str_c(talk.said ? talk.said : talk.prompt);
	if (r == PAM_SUCCESS && pam_get_item(pam, PAM_USER, &user) == PAM_SUCCESS && user)
		answer->user = str_c(arena_cdup(mem, str_c((const char *)user)));
	if (pam)
		pam_end(pam, r);
}
