/*
 * The private keys of TLS are keyd's: it is asked for each signature, and a session waits for the answer as it would for the
 * computation. Two hold them, that of our number and its neighbour: when one is away the other is asked. One that lets us
 * wait for too long is not asked again before it has answered, so that all sessions together wait for it once.
 */
#include "smtpd/smtpd.h"
#include "tls/held.h"

#include <stdlib.h>

enum { WAIT_MS = 1000 };

struct holder {
	struct holder *next;
	struct ipc ipc;
	unsigned index, slot;
	bool greeted, silent;
	uint64_t asked; /* last question that it was asked; 0: none */
};

static struct holder *holders; /* newest first */
static bool used;
static struct {
	uint64_t request; /* that is waited for, its lower half on the wire; 0: none */
	bool is_here;
	enum key_status status;
	unsigned char signature[KEY_SIGNATURE_MAX];
	size_t n;
} answer;

static int on_hello(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct holder *h = container_of(ipc, struct holder, ipc);
	uint32_t slot = ipc_get_u32(in);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	h->slot = slot;
	h->greeted = true;
	listen_keys_are_here();
	return 0;
}

static int on_answer(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct holder *h = container_of(ipc, struct holder, ipc);
	struct key_answer a;

	(void)fds;
	(void)n_fds;
	if (key_answer_decode(in, &a) != 0)
		return -1;
	if (h->silent)
		log_info("keyd[%u] answers again", h->index);
	h->silent = false;
	if (answer.request == 0 || answer.request != h->asked || a.request != (uint32_t)answer.request ||
		answer.is_here)
		return 0; /* nobody waits for it any more */
	answer.is_here = true;
	answer.status = a.status;
	answer.n = a.signature.n;
	if (a.signature.n > 0)
		memcpy(answer.signature, a.signature.p, a.signature.n);
	return 0;
}

static const struct ipc_rule rules[] = { { MSG_KEY_HELLO, 0, on_hello }, { MSG_KEY_ANSWER, 0, on_answer } };

static void on_closed(struct ipc *ipc)
{
	free(container_of(ipc, struct holder, ipc));
}

static void on_end(struct ipc *ipc, enum ipc_end end)
{
	struct holder *h = container_of(ipc, struct holder, ipc), **at = &holders;

	if (end == IPC_VIOLATION)
		child_violation(&smtpd.child, ROLE_KEYD, h->index, ipc->why ? ipc->why : "");
	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	ipc_close(ipc, on_closed); /* frees it, but not before the next turn of the loop */
}

void keys_peer(unsigned index, int fd)
{
	struct holder *h = xcalloc(1, sizeof *h);

	h->index = index;
	h->next = holders;
	holders = h;
	ipc_open(&h->ipc, smtpd.child.loop, fd, rules, sizeof rules / sizeof *rules, on_end);
}

/* The best of those that were not asked since: ours, another, one that is just being started. */
static struct holder *pick(uint64_t since)
{
	struct holder *best = NULL;
	int best_rank = 0;

	for (struct holder *h = holders; h; h = h->next) {
		int rank = !h->greeted ? 1 : h->slot != smtpd.child.slot ? 2 : 3;

		if (h->silent || h->asked > since || rank <= best_rank)
			continue;
		best = h;
		best_rank = rank;
	}
	return best;
}

/* NULL: the answer is here. */
static const char *ask(struct holder *h, struct key_question *q)
{
	struct buf out = BUF_INIT(KEY_SIGNED_MAX + 256);
	uint64_t now = uv_hrtime() / 1000000, end = now + WAIT_MS;
	int r = 0;

	h->asked = answer.request = ++smtpd.n_signatures;
	q->request = (uint32_t)smtpd.n_signatures;
	answer.is_here = false;
	key_question_encode(&out, q);
	if (ipc_send(&h->ipc, MSG_KEY_SIGN, buf_str(&out), NULL, 0) != 0)
		r = -1;
	buf_free(&out);
	for (; r >= 0 && !answer.is_here && now < end; now = uv_hrtime() / 1000000)
		r = ipc_wait(&h->ipc, (int)(end - now));
	answer.request = 0;
	if (answer.is_here)
		return NULL;
	if (r < 0)
		return "keyd has ended; it is being started anew";
	h->silent = true;
	log_error("keyd[%u] does not answer within %d ms: it is not asked again until it does", h->index, WAIT_MS);
	return "keyd does not answer";
}

static const char *sign(const struct key_id *id, uint16_t scheme, struct str text, unsigned char *out, size_t *n)
{
	struct key_question q = { .key = *id, .scheme = scheme, .text = text };
	const char *why = holders ? "keyd does not answer" : "keyd is away; it is being started";
	uint64_t since = smtpd.n_signatures;
	struct holder *h;

	if (text.n == 0 || text.n > KEY_SIGNED_MAX)
		return "it is too long";
	while ((h = pick(since)) != NULL) {
		why = ask(h, &q);
		if (why)
			continue;
		if (answer.status == KEY_SIGNED) {
			memcpy(out, answer.signature, answer.n);
			*n = answer.n;
			return NULL;
		}
		why = answer.status == KEY_UNKNOWN ? "keyd does not have it" : "keyd cannot sign with it";
	}
	return why;
}

void keys_open(void)
{
	if (!conf_bool(smtpd.child.main, "smtpd_tls_key_process"))
		return; /* they are in the files */
	if (smtpd.child.n_store != 1)
		fatal("master passed no certificates");
	tls_store_use(smtpd.child.store_fd[0]);
	tls_held_keys_sign_by(sign);
}

void keys_opened(void)
{
	for (size_t i = 0; i < smtpd.n_service && tls_store_is_used(); i++)
		used = used || smtpd.service[i].tls;
	tls_store_end();
}

bool keys_are_here(void)
{
	for (const struct holder *h = holders; h; h = h->next)
		if (!h->silent)
			return true;
	return !used;
}
