#include "authd/pool.h"

#include "base/log.h"

#include <sys/resource.h>
#include <unistd.h>

void pool_init(struct pool *p, uv_loop_t *loop, unsigned max_running, unsigned max_waiting, uint64_t max_wait_ms)
{
	*p = (struct pool){
		.loop = loop, .max_running = max_running, .max_waiting = max_waiting, .max_wait_ms = max_wait_ms
	};
}

static void start_next(struct pool *p);

static void in_thread(uv_work_t *w)
{
	static _Thread_local bool niced;
	struct job *j = (struct job *)w->data;

	/* Hashing yields to the loop that answers everybody else. */
	if (!niced)
		setpriority(PRIO_PROCESS, (id_t)gettid(), 5);
	niced = true;
	if (!j->cancelled)
		j->run(j);
}

static void after(uv_work_t *w, int status)
{
	struct job *j = (struct job *)w->data;
	struct pool *p = j->pool;

	p->running--;
	p->n_run++;
	start_next(p);
	j->done(j, status != 0);
}

static struct job *take_lowest(struct pool *p)
{
	struct job **best = &p->first, *j;

	for (struct job **at = &p->first; *at; at = &(*at)->next)
		if ((*at)->tag < (*best)->tag)
			best = at;
	j = *best;
	*best = j->next;
	j->next = NULL;
	p->waiting--;
	return j;
}

static void start_next(struct pool *p)
{
	while (p->first && p->running < p->max_running) {
		struct job *j = take_lowest(p);

		if (j->cancelled || uv_now(p->loop) - j->since_ms > p->max_wait_ms) {
			/* Its client has given up long ago; the work would only delay the others. */
			p->n_dropped++;
			j->done(j, true);
			continue;
		}
		p->clock = j->tag;
		p->running++;
		j->work.data = j;
		if (uv_queue_work(p->loop, &j->work, in_thread, after) != 0)
			panic("uv_queue_work failed");
	}
}

int pool_submit(struct pool *p, struct job *j, struct str user, struct str address)
{
	uint64_t *by_user = &p->lane[0][str_ihash(user) % POOL_LANES];
	uint64_t *by_address = &p->lane[1][str_hash(address) % POOL_LANES];
	uint64_t tag = p->clock;
	struct job **at = &p->first;

	if (p->waiting >= p->max_waiting) {
		p->n_refused++;
		return -1;
	}
	if (user.n && *by_user > tag)
		tag = *by_user;
	if (address.n && *by_address > tag)
		tag = *by_address;
	tag++;
	if (user.n)
		*by_user = tag;
	if (address.n)
		*by_address = tag;
	j->pool = p;
	j->tag = tag;
	j->since_ms = uv_now(p->loop);
	while (*at)
		at = &(*at)->next;
	j->next = NULL;
	*at = j;
	p->waiting++;
	if (p->running < p->max_running) {
		/* Of all that wait this one alone is new, and nothing was dropped before it: it, or an older one, starts. */
		start_next(p);
	}
	return 0;
}
