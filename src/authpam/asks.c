#include "authpam/authpam.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct ask {
	struct asks *all;
	struct authd_link *from; /* NULL: gone */
	struct ask *next;
	struct arena *mem; /* of what follows; wiped as soon as the process has it */
	struct pam_ask ask;
	uint32_t id;
	uint64_t since_ms;
	pid_t pid;
	int fd; /* the pipe on which its answer comes */
	uv_poll_t poll;
	uv_timer_t limit;
	unsigned open_handles;
};

void asks_init(struct asks *a, uv_loop_t *loop)
{
	*a = (struct asks){ .loop = loop, .last = &a->waiting };
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void answer(struct ask *q, struct pam_answer *a)
{
	struct buf out = BUF_INIT(PAM_ANSWER_MAX);
	struct asks *all = q->all;

	a->id = q->id;
	*(a->result == PAM_SAYS_OK ? &all->n_ok : a->result == PAM_SAYS_FAILED ? &all->n_failed : &all->n_no) += 1;
	pam_answer_encode(&out, a);
	if (q->from)
		ipc_send(&q->from->ipc, MSG_PAM_ANSWER, buf_str(&out), NULL, 0);
	buf_free(&out);
}

static void answer_failed(struct ask *q, const char *why)
{
	struct pam_answer a = { .result = PAM_SAYS_FAILED, .why = str_c(why) };

	answer(q, &a);
}

/* ---- in its own process ---- */

_Noreturn static void be_asker(const struct ask *q, int fd)
{
	struct pam_answer a;
	struct arena *mem = arena_new(0);
	struct buf out = BUF_INIT(PAM_ANSWER_MAX);
	sigset_t none;

	/* The loop's handlers would write into the loop's own pipe. */
	for (int s = 1; s < 32; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "authpam-ask");
	setpgid(0, 0);
	/* No channel of ours is for a module, nor for a program that one runs. */
	if (fd > 3)
		close_range(3, (unsigned)fd - 1, 0);
	close_range((unsigned)fd + 1, ~0U, 0);
	pam_run(&q->ask, mem, &a);
	pam_answer_encode(&out, &a);
	_exit(write(fd, out.p, out.n) == (ssize_t)out.n ? 0 : 1);
}

/* ---- its end ---- */

static void start_next(struct asks *a);

static void on_closed(uv_handle_t *h)
{
	struct ask *q = (struct ask *)h->data;

	if (--q->open_handles == 0)
		free(q);
}

static bool is_asker(const struct asks *a, pid_t pid)
{
	const struct ask *q = a->running;

	while (q && q->pid != pid)
		q = q->next;
	return q != NULL;
}

/*
 * pam_exec gives its program a session of its own, which no signal to the asker's group reaches. It becomes a child of this
 * process when its parent ends, and the next one when that ends.
 */
static void end_orphans(const struct asks *a)
{
	enum { GENERATIONS = 16 };
	char path[64];
	bool found = true;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	for (int i = 0; found && i < GENERATIONS; i++) {
		FILE *f = fopen(path, "re");
		char line[16384] = "";
		struct str rest, word;

		found = false;
		rest = str_c(f && fgets(line, sizeof line, f) ? line : "");
		if (f)
			fclose(f);
		while (str_word(&rest, " ", &word)) {
			pid_t pid = (pid_t)strtol(word.p, NULL, 10);

			if (pid <= 0 || is_asker(a, pid))
				continue;
			found = true;
			kill(pid, SIGKILL);
			while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
				;
		}
	}
}

static void end_process(struct ask *q)
{
	struct asks *a = q->all;
	struct ask **at = &a->running;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	a->n_running--;
	end_orphans(a);
	close(q->fd);
	uv_close((uv_handle_t *)&q->poll, on_closed);
	uv_close((uv_handle_t *)&q->limit, on_closed);
	start_next(a);
}

/* A module may have left a process behind: what is in the asker's group ends with it, and nothing is waited for. */
static void reap(const struct ask *q)
{
	int how;

	kill(-q->pid, SIGKILL);
	kill(q->pid, SIGKILL);
	while (waitpid(q->pid, &how, 0) < 0 && errno == EINTR)
		;
}

static void on_pipe(uv_poll_t *poll, int status, int events)
{
	struct ask *q = (struct ask *)poll->data;
	char octets[PAM_ANSWER_MAX];
	ssize_t n = read(q->fd, octets, sizeof octets);
	struct pam_answer a;

	(void)status;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* The pipe takes an answer whole (under PIPE_BUF). */
	reap(q);
	if (n > 0 && pam_answer_decode(&(struct ipc_in){ .rest = { octets, (size_t)n } }, &a) == 0)
		answer(q, &a);
	else
		answer_failed(q, "the process that asked PAM ended early; the log of authpriv may say why");
	end_process(q);
}

static void on_limit(uv_timer_t *timer)
{
	struct ask *q = (struct ask *)timer->data;

	q->all->n_killed++;
	reap(q);
	answer_failed(q, "PAM took over 30 s; the process that asked it was killed");
	end_process(q);
}

/* ---- its beginning ---- */

static void watch(struct ask *q, pid_t pid, int fd)
{
	struct asks *a = q->all;

	arena_wipe(&q->mem);
	q->ask = (struct pam_ask){ 0 };
	q->pid = pid;
	q->fd = fd;
	q->open_handles = 2;
	q->next = a->running;
	a->running = q;
	a->n_running++;
	q->poll.data = q->limit.data = q;
	uv_poll_init(a->loop, &q->poll, fd);
	uv_poll_start(&q->poll, UV_READABLE | UV_DISCONNECT, on_pipe);
	uv_timer_init(a->loop, &q->limit);
	uv_timer_start(&q->limit, on_limit, ASK_LIMIT_MS, 0);
}

static void forget(struct ask *q)
{
	arena_wipe(&q->mem);
	free(q);
}

static void run(struct ask *q)
{
	pid_t parent = getpid(), pid = -1;
	int pair[2] = { -1, -1 };

	log_flush();
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) == 0)
		pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		be_asker(q, pair[1]);
	}
	if (pair[1] >= 0)
		close(pair[1]);
	if (pid > 0) {
		watch(q, pid, pair[0]);
		return;
	}
	log_warn("cannot start a process that asks PAM: %s", strerror(errno));
	if (pair[0] >= 0)
		close(pair[0]);
	answer_failed(q, "cannot start a process that asks PAM");
	forget(q);
}

static struct ask *take_first(struct asks *a)
{
	struct ask *q = a->waiting;

	a->waiting = q->next;
	if (a->waiting == NULL)
		a->last = &a->waiting;
	a->n_waiting--;
	return q;
}

static void start_next(struct asks *a)
{
	while (a->waiting && a->n_running < ASKS_RUNNING) {
		struct ask *q = take_first(a);

		if (q->from && uv_now(a->loop) - q->since_ms <= ASK_WAIT_MS) {
			run(q);
			continue;
		}
		answer_failed(q, "too many ask PAM: this one waited too long for its turn");
		forget(q);
	}
}

static struct str keep(struct ask *q, struct str s)
{
	return arena_dup(q->mem, s);
}

void asks_add(struct asks *a, struct authd_link *from, const struct pam_ask *ask)
{
	struct ask *q = xcalloc(1, sizeof *q);

	*q = (struct ask){ .all = a, .from = from, .mem = arena_new(0), .ask = *ask, .id = ask->id };
	q->ask.service = keep(q, ask->service);
	q->ask.user = keep(q, ask->user);
	q->ask.pass = keep(q, ask->pass);
	q->ask.address = keep(q, ask->address);
	q->since_ms = uv_now(a->loop);
	if (a->n_waiting >= ASKS_WAITING) {
		answer_failed(q, "too many ask PAM");
		forget(q);
		return;
	}
	*a->last = q;
	a->last = &q->next;
	a->n_waiting++;
	start_next(a);
}

void asks_drop(struct asks *a, const struct authd_link *from)
{
	for (struct ask *q = a->waiting; q; q = q->next)
		if (q->from == from)
			q->from = NULL; /* forgotten in its turn */
	for (struct ask *q = a->running; q; q = q->next)
		if (q->from == from) {
			q->from = NULL;
			kill(q->pid, SIGKILL); /* the pipe tells its end */
		}
	start_next(a);
}
