#include "authd/pool.h"

#include "base/arena.h"
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NICE = 5, SLICE_NS = 10000000, THIS_THREAD = 0 };
enum { LONG_US = 10000, ROOM_MS = 1000 };
enum { SHORT_US = 2500, BATCH = 4, MANY = 8 };

/* sched_setattr(2), which glibc has no declaration of; the kernel's own collides with <sched.h>. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* What the threads and the loop share; the pool itself is the loop's. */
struct pool_threads {
	uv_mutex_t lock; /* of the next ones */
	uv_cond_t more;
	struct job *first, **last; /* waiting, as they came */
	uint64_t clock;		   /* tag of what started last */
	unsigned n, idle, queued;  /* threads, those without a job, jobs */
	unsigned running, max_running;
	int64_t usual_us;	  /* that a job takes, of late */
	_Atomic uint64_t room_ms; /* when pool_leave_room() was called last; 0: never */
	uint64_t max_wait_ms;
	bool is_background;
	_Atomic(struct job *) done; /* the latest first */
	unsigned untold;	    /* of them */
	_Atomic bool is_told;	    /* the loop, which has not looked yet */
	int fd;			    /* an eventfd: there is something in done */
};

/* The loop watches the eventfd while there are jobs, so that nothing keeps it alive when there are none. */
struct watch {
	uv_poll_t poll;
	struct pool *pool; /* NULL: closing */
};

void pool_init(struct pool *p, uv_loop_t *loop, unsigned max_running, unsigned max_waiting, uint64_t max_wait_ms)
{
	*p = (struct pool){
		.loop = loop, .max_running = max_running, .max_waiting = max_waiting, .max_wait_ms = max_wait_ms
	};
}

/* ---- in a thread ---- */

static struct job *take_lowest(struct pool_threads *t)
{
	struct job **best = &t->first, *j;

	for (struct job **at = &t->first; *at; at = &(*at)->next)
		if ((*at)->tag < (*best)->tag)
			best = at;
	j = *best;
	*best = j->next;
	if (t->last == &j->next)
		t->last = best;
	j->next = NULL;
	t->queued--;
	return j;
}

static void put_done(struct pool_threads *t, struct job *j)
{
	struct job *before = atomic_load(&t->done);

	do
		j->next = before;
	while (!atomic_compare_exchange_weak(&t->done, &before, j));
}

static void tell_loop(struct pool_threads *t)
{
	const uint64_t one = 1;

	if (!atomic_exchange(&t->is_told, true) && write(t->fd, &one, sizeof one) != (ssize_t)sizeof one &&
		errno != EAGAIN)
		panic("the event loop cannot be told that work is done: %s", strerror(errno));
}

/*
 * The loop goes first whenever it has something to do. Since Linux 6.6 a nice value alone does not see to that: who runs is let
 * alone to the end of his slice; since 6.12 not by one whose slice is shorter. Kernels in between pass over its length. What else
 * filters our calls (a container, perhaps) may not have heard of it: the nice value is to be had without.
 */
static void step_back(void)
{
	const struct attributes a = { .size = sizeof a, .nice = NICE, .runtime = SLICE_NS };

	if (syscall(SYS_sched_setattr, 0, &a, 0) != 0 && setpriority(PRIO_PROCESS, THIS_THREAD, NICE) != 0)
		log_debug("auth: threads that hash are no nicer: %s", strerror(errno));
}

static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

static unsigned may_run(struct pool_threads *t)
{
	uint64_t room_ms = t->room_ms;
	bool leaves_room = t->usual_us > LONG_US && room_ms && now_ms() < room_ms + ROOM_MS;

	return t->max_running - (leaves_room && t->max_running > 1);
}

/* The next one, when it is there and may run. */
static struct job *begin_next(struct pool_threads *t)
{
	struct job *j;

	uv_mutex_lock(&t->lock);
	t->idle++;
	while (t->first == NULL || t->running >= may_run(t))
		uv_cond_wait(&t->more, &t->lock);
	t->idle--;
	t->running++;
	j = take_lowest(t);
	/* Its client has given up long ago; the work would only delay the others. */
	j->dropped = j->cancelled || now_ms() > j->since_ms + t->max_wait_ms;
	if (!j->dropped)
		t->clock = j->tag;
	/* Who waits for room is told by nobody else that there is room again. */
	if (t->first && t->running < may_run(t))
		uv_cond_signal(&t->more);
	uv_mutex_unlock(&t->lock);
	return j;
}

/*
 * Each time that it is told, the loop takes a processor from a thread. Of short jobs, while many more wait, a few are told of at a
 * time: what comes of them, the lookups of those who log in next, is done at a time then, too. There will be more that end.
 */
static bool has_to_tell(struct pool_threads *t)
{
	if (++t->untold < BATCH && t->queued >= MANY && t->usual_us < SHORT_US)
		return false;
	t->untold = 0;
	return true;
}

/* took_us: 0: it was dropped. */
static void end_this(struct pool_threads *t, struct job *j, int64_t took_us)
{
	bool tells;

	put_done(t, j);
	uv_mutex_lock(&t->lock);
	t->running--;
	if (took_us > 0)
		t->usual_us += (took_us - t->usual_us) / 4;
	tells = has_to_tell(t);
	uv_mutex_unlock(&t->lock);
	if (tells)
		tell_loop(t);
}

static void work(void *arg)
{
	struct pool_threads *t = arg;

	if (t->is_background)
		step_back();
	for (;;) {
		struct job *j = begin_next(t);
		uint64_t began = uv_hrtime();

		if (!j->dropped)
			j->run(j);
		end_this(t, j, j->dropped ? 0 : (int64_t)((uv_hrtime() - began) / 1000));
	}
}

/* ---- in the loop ---- */

static void on_closed(uv_handle_t *h)
{
	free(container_of((uv_poll_t *)(void *)h, struct watch, poll));
}

/* Of those that are not done as many run as may. */
static void count(struct pool *p, unsigned not_done)
{
	p->running = not_done < p->max_running ? not_done : p->max_running;
	p->waiting = not_done - p->running;
}

static void end_job(struct pool *p, struct job *j)
{
	count(p, p->running + p->waiting - 1);
	*(j->dropped ? &p->n_dropped : &p->n_run) += 1;
	j->done(j, j->dropped);
}

static struct job *reversed(struct job *list)
{
	struct job *back = NULL, *next;

	for (; list; list = next) {
		next = list->next;
		list->next = back;
		back = list;
	}
	return back;
}

static void on_done(uv_poll_t *poll, int status, int events)
{
	struct watch *w = container_of(poll, struct watch, poll);
	struct pool *p = w->pool;
	struct pool_threads *t = p->threads;
	uint64_t times;

	(void)status;
	(void)events;
	/* Before the list is taken: what comes later rings again. */
	if (read(t->fd, &times, sizeof times) < 0 && errno != EAGAIN)
		panic("the event loop cannot read what is done: %s", strerror(errno));
	atomic_store(&t->is_told, false);
	for (struct job *j = reversed(atomic_exchange(&t->done, NULL)), *next; j; j = next) {
		next = j->next;
		end_job(p, j);
	}
	if (p->running + p->waiting == 0) {
		p->watch = NULL;
		uv_poll_stop(poll);
		uv_close((uv_handle_t *)poll, on_closed);
	}
}

static void watch(struct pool *p)
{
	if (p->watch)
		return;
	p->watch = xcalloc(1, sizeof *p->watch);
	p->watch->pool = p;
	if (uv_poll_init(p->loop, &p->watch->poll, p->threads->fd) != 0)
		panic("uv_poll_init: no watcher for what is done");
	uv_poll_start(&p->watch->poll, UV_READABLE, on_done);
}

static struct pool_threads *threads_new(const struct pool *p)
{
	struct pool_threads *t = xcalloc(1, sizeof *t);

	t->last = &t->first;
	t->max_wait_ms = p->max_wait_ms;
	t->is_background = p->is_background;
	t->max_running = p->max_running;
	t->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (t->fd < 0 || uv_mutex_init(&t->lock) != 0 || uv_cond_init(&t->more) != 0)
		panic("no eventfd or lock for threads");
	return t;
}

static void add_thread(struct pool_threads *t)
{
	uv_thread_t thread;

	if (uv_thread_create(&thread, work, t) == 0)
		t->n++;
	else if (t->n == 0)
		panic("no thread can be made");
}

static void queue(struct pool *p, struct job *j, uint64_t tag)
{
	struct pool_threads *t = p->threads;

	j->pool = p;
	j->next = NULL;
	j->tag = tag;
	j->dropped = false;
	j->since_ms = uv_now(p->loop);
	uv_mutex_lock(&t->lock);
	*t->last = j;
	t->last = &j->next;
	t->queued++;
	if (t->queued > t->idle && t->n < p->max_running)
		add_thread(t);
	uv_cond_signal(&t->more);
	uv_mutex_unlock(&t->lock);
}

static uint64_t clock_of(struct pool_threads *t)
{
	uint64_t now;

	uv_mutex_lock(&t->lock);
	now = t->clock;
	uv_mutex_unlock(&t->lock);
	return now;
}

int pool_submit(struct pool *p, struct job *j, struct str user, struct str address)
{
	uint64_t *by_user = &p->lane[0][str_ihash(user) % POOL_LANES];
	uint64_t *by_address = &p->lane[1][str_hash(address) % POOL_LANES];
	uint64_t tag;

	if (p->waiting >= p->max_waiting) {
		p->n_refused++;
		return -1;
	}
	if (p->threads == NULL)
		p->threads = threads_new(p);
	tag = clock_of(p->threads);
	if (user.n && *by_user > tag)
		tag = *by_user;
	if (address.n && *by_address > tag)
		tag = *by_address;
	tag++;
	if (user.n)
		*by_user = tag;
	if (address.n)
		*by_address = tag;
	watch(p);
	count(p, p->running + p->waiting + 1);
	queue(p, j, tag);
	return 0;
}

void pool_leave_room(struct pool *p)
{
	if (p->threads)
		p->threads->room_ms = now_ms();
}
