#include "deliver/worker.h"
#include "base/arena.h"
#include "base/jail.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct worker_process {
	struct worker *worker; /* NULL: its end was told */
	pid_t pid;
	int fd; /* the pipe on which its result comes */
	uv_poll_t poll;
	uv_timer_t limit;
	unsigned open_handles;
	bool killed;
};

static struct {
	struct worker *first, **last;
	unsigned running, waiting;
	uv_loop_t *loop;
} queue = { .last = &queue.first };

/* Close every descriptor but these: the recipient's process has no use for our channels. `keep` is sorted here. */
static void keep_only(int *keep, size_t n)
{
	unsigned from = 3;

	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0 && keep[k] < keep[k - 1]; k--) {
			int swap = keep[k];
			keep[k] = keep[k - 1];
			keep[k - 1] = swap;
		}
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if ((unsigned)keep[i] > from)
			close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	close_range(from, ~0U, 0);
}

static void be_worker(const struct mailbox *m, int fd)
{
	struct mailbox_result r = { .status = RCPT_DEFERRED };
	size_t n = 0;
	int *keep = xcalloc(m->env->n_extent + 1, sizeof *keep);
	sigset_t none;

	/* The loop's handlers would write into the loop's own pipe. */
	for (int s = 1; s < 32; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "deliver-mailbox");
	for (size_t i = 0; i < m->env->n_extent; i++) {
		int segment = segment_set_fd(m->segments, m->env->extent[i].generation);
		if (segment >= 0)
			keep[n++] = segment;
	}
	keep[n++] = fd;
	keep_only(keep, n);
	mailbox_deliver(m, &r);
	jail_tell();
	_exit(write_all(fd, &r, sizeof r) == 0 ? 0 : 1);
}

static void on_closed(uv_handle_t *h)
{
	struct worker_process *p = h->data;

	if (--p->open_handles == 0)
		free(p);
}

static void start_next(void);

static void end_process(struct worker_process *p, const struct mailbox_result *r)
{
	struct worker *w = p->worker;

	p->worker = NULL;
	w->process = NULL;
	uv_close((uv_handle_t *)&p->poll, on_closed);
	uv_close((uv_handle_t *)&p->limit, on_closed);
	close(p->fd);
	queue.running--;
	w->on_end(w, r);
	start_next();
}

static void on_pipe(uv_poll_t *poll, int status, int events)
{
	struct worker_process *p = poll->data;
	struct mailbox_result r = { 0 };
	ssize_t n = read(p->fd, &r, sizeof r);
	int how = 0;

	(void)status;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* The pipe takes a result whole (under PIPE_BUF), and the process ends behind it. */
	while (waitpid(p->pid, &how, 0) < 0 && errno == EINTR)
		;
	r.text[sizeof r.text - 1] = r.dsn[sizeof r.dsn - 1] = '\0';
	if (n == (ssize_t)sizeof r && r.status >= RCPT_SENT && r.status <= RCPT_BOUNCED)
		;
	else if (p->killed)
		mailbox_set(&r, RCPT_DEFERRED, "4.3.0", "delivery took over %d s and was stopped", WORKER_LIMIT_S);
	else
		mailbox_set(&r, RCPT_DEFERRED, "4.3.0", "delivery process ended early (%s %d)",
			WIFSIGNALED(how) ? "signal" : "status", WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
	end_process(p, &r);
}

static void on_limit(uv_timer_t *timer)
{
	struct worker_process *p = timer->data;

	p->killed = true;
	kill(p->pid, SIGKILL);
}

static void watch(struct worker *w, pid_t pid, int fd)
{
	struct worker_process *p = xcalloc(1, sizeof *p);

	*p = (struct worker_process){ .worker = w, .pid = pid, .fd = fd, .open_handles = 2 };
	p->poll.data = p->limit.data = p;
	w->process = p;
	uv_poll_init(queue.loop, &p->poll, fd);
	uv_poll_start(&p->poll, UV_READABLE | UV_DISCONNECT, on_pipe);
	uv_timer_init(queue.loop, &p->limit);
	uv_timer_start(&p->limit, on_limit, WORKER_LIMIT_S * 1000ULL, 0);
}

static void run(struct worker *w)
{
	struct mailbox_result r;
	int pair[2] = { -1, -1 };
	pid_t parent = getpid(), pid = -1;

	queue.running++;
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) == 0)
		pid = fork();
	if (pid == 0) {
		/* A result that nobody takes would be a delivery that is made again. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		be_worker(&w->mailbox, pair[1]);
	}
	if (pid > 0) {
		close(pair[1]);
		watch(w, pid, pair[0]);
		return;
	}
	mailbox_set(&r, RCPT_DEFERRED, "4.3.2", "cannot start a delivery process: %s", strerror(errno));
	if (pair[0] >= 0) {
		close(pair[0]);
		close(pair[1]);
	}
	queue.running--;
	w->on_end(w, &r);
}

static void start_next(void)
{
	while (queue.first && queue.running < WORKERS_MAX) {
		struct worker *w = queue.first;
		queue.first = w->next;
		if (queue.first == NULL)
			queue.last = &queue.first;
		w->next = NULL;
		queue.waiting--;
		run(w);
	}
}

void worker_start(uv_loop_t *loop, struct worker *w)
{
	queue.loop = loop;
	w->next = NULL;
	*queue.last = w;
	queue.last = &w->next;
	queue.waiting++;
	start_next();
}

unsigned workers_running(void)
{
	return queue.running;
}

unsigned workers_waiting(void)
{
	return queue.waiting;
}
