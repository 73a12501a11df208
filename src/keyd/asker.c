/* What smtpd may ask of keyd: a signature of a TLS handshake, and nothing else. */
#include "keyd/keyd.h"
#include "base/arena.h"
#include "base/log.h"

#include <stdlib.h>
#include <sys/socket.h>

struct asker {
	struct ipc ipc;
	struct keyd *keyd;
	enum role role;
	unsigned index;
};

/*
 * smtpd asks, and goes on when it has read the answer; one that it does not wait for any longer it reads before it asks again.
 * Who asks ahead would have us sign for him while others wait, or keep answers that he does not read.
 */
static bool asks_ahead(const struct ipc *ipc)
{
	char octet;

	return ipc->pending_octets > 0 || recv(ipc->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static int on_sign(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct asker *p = container_of(ipc, struct asker, ipc);
	struct buf out = BUF_INIT(KEY_SIGNATURE_MAX + 64);
	char room[KEY_SIGNATURE_MAX];
	const struct signature_scheme *scheme;
	struct key_question q;
	struct key_answer a;

	(void)fds;
	(void)n_fds;
	if (key_question_decode(in, &q) != 0)
		return -1;
	scheme = signature_scheme_find(q.scheme);
	/* No smtpd that is in its right mind asks for such a thing. */
	if (scheme == NULL || !handshake_is_tls(scheme, q.text) || asks_ahead(ipc))
		return -1;
	keys_answer(&p->keyd->keys, &q, room, &a);
	if (a.status == KEY_SIGNED)
		p->keyd->signed_++;
	else
		p->keyd->refused++;
	key_answer_encode(&out, &a);
	ipc_send(ipc, MSG_KEY_ANSWER, buf_str(&out), NULL, 0);
	buf_free(&out);
	return 0;
}

/* The permit table. */
static const struct ipc_rule rules[] = { { MSG_KEY_SIGN, 0, on_sign } };

static void on_closed(struct ipc *ipc)
{
	free(container_of(ipc, struct asker, ipc));
}

static void on_end(struct ipc *ipc, enum ipc_end end)
{
	struct asker *p = container_of(ipc, struct asker, ipc);

	if (end == IPC_VIOLATION)
		child_violation(&p->keyd->child, p->role, p->index, ipc->why);
	p->keyd->askers--;
	ipc_close(ipc, on_closed);
}

void asker_open(struct keyd *k, enum role role, unsigned index, int fd)
{
	struct asker *p = xcalloc(1, sizeof *p);
	struct buf out = BUF_INIT(16);

	p->keyd = k;
	p->role = role;
	p->index = index;
	k->askers++;
	ipc_open(&p->ipc, k->child.loop, fd, rules, role == ROLE_SMTPD, on_end);
	ipc_put_u32(&out, k->child.slot);
	ipc_send(&p->ipc, MSG_KEY_HELLO, buf_str(&out), NULL, 0);
	buf_free(&out);
}
