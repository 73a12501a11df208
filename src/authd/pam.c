#include "authd/pam.h"

#include "authd/verify.h"
#include "base/log.h"

#include <stdlib.h>

enum { WAITING_MAX = 1024 };

struct pam_channel {
	struct ipc ipc;
	struct authd *authd;
	unsigned index;
};

/* ---- answers ---- */

static struct login *take(struct pam_link *p, uint32_t id)
{
	struct login **at = &p->first, *l;

	while (*at && (*at)->pam_id != id)
		at = &(*at)->next_pam;
	l = *at;
	if (l == NULL)
		return NULL;
	*at = l->next_pam;
	if (p->last == &l->next_pam)
		p->last = at;
	p->n--;
	return l;
}

static int on_answer(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct pam_channel *c = container_of(ipc, struct pam_channel, ipc);
	struct pam_answer answer;
	struct login *l;

	(void)fds;
	(void)n_fds;
	if (pam_answer_decode(in, &answer) < 0)
		return -1;
	l = take(&c->authd->pam, answer.id);
	if (l == NULL)
		return -1; /* nobody asked that */
	verify_pam_answer(l, &answer);
	return 0;
}

static const struct ipc_rule from_authpam[] = { { MSG_PAM_ANSWER, 0, on_answer } };

/* ---- the channel ---- */

static void on_closed(struct ipc *ipc)
{
	free(container_of(ipc, struct pam_channel, ipc));
}

static void fail_all(struct pam_link *p)
{
	struct login *first = p->first;

	/* They may ask again, in another channel. */
	p->first = NULL;
	p->last = &p->first;
	p->n = 0;
	while (first) {
		struct login *l = first;
		struct pam_answer lost = {
			.id = l->pam_id, .result = PAM_SAYS_FAILED, .why = STR("the process that asks PAM has ended")
		};

		first = l->next_pam;
		verify_pam_answer(l, &lost);
	}
}

static void leave(struct authd *a)
{
	struct pam_channel *c = a->pam.channel;

	a->pam.channel = NULL;
	if (c)
		ipc_close(&c->ipc, on_closed);
	fail_all(&a->pam);
}

static void on_end(struct ipc *ipc, enum ipc_end how)
{
	struct pam_channel *c = container_of(ipc, struct pam_channel, ipc);

	if (how == IPC_VIOLATION)
		child_violation(&c->authd->child, ROLE_AUTHPAM, c->index, ipc->why);
	leave(c->authd);
}

void pam_peer(struct authd *a, unsigned index, int fd)
{
	struct pam_channel *c = xcalloc(1, sizeof *c);

	leave(a);
	c->authd = a;
	c->index = index;
	a->pam.channel = c;
	ipc_open(&c->ipc, a->child.loop, fd, from_authpam, sizeof from_authpam / sizeof *from_authpam, on_end);
}

/* ---- questions ---- */

int pam_verify(struct authd *a, struct login *l, const char **why)
{
	const struct pam_settings *set = a->set->passdb[l->passdb].pam;
	struct pam_link *p = &a->pam;
	struct buf out = IPC_BUF_SECRET;
	struct pam_ask ask = { .id = ++p->last_id,
		.flags = (uint8_t)((set->setcred ? PAM_SETCRED : 0) | (set->session ? PAM_SESSION : 0)),
		.service = template_expand(&set->service, &l->vars, l->mem),
		.user = l->vars.user,
		.pass = l->vars.pass,
		.address = l->vars.remote_ip };
	int sent;

	*why = pam_ask_check(&ask);
	if (*why == NULL && p->channel == NULL)
		*why = "the process that asks PAM is not there";
	if (*why == NULL && p->n >= WAITING_MAX)
		*why = "too many wait for PAM";
	if (*why)
		return -1;
	pam_ask_encode(&out, &ask);
	sent = ipc_send(&p->channel->ipc, MSG_PAM_ASK, buf_str(&out), NULL, 0);
	buf_wipe(&out);
	if (sent < 0) {
		*why = "the process that asks PAM is not there";
		return -1;
	}
	l->pam_id = ask.id;
	l->next_pam = NULL;
	if (p->last == NULL)
		p->last = &p->first;
	*p->last = l;
	p->last = &l->next_pam;
	p->n++;
	return 0;
}
