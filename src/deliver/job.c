#include "deliver/deliver.h"
#include "deliver/delay.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RESULT_TEXT_MAX = 1000 }; /* octets of one text: all recipients of a job fit into one message */

uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t since(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0; /* the clock may have been set back */
}

/* delay=all, delays=before it became active / until we had it / connecting / delivering (as Postfix's smtp and virtual) */
static void log_line(const struct rcpt_run *q, const struct rcpt_end *e)
{
	static const char *const words[] = {
		[RCPT_SENT] = "sent", [RCPT_DEFERRED] = "deferred", [RCPT_BOUNCED] = "bounced"
	};
	const struct run *r = q->run;
	const struct job *j = &r->job;
	uint64_t now = now_us(), ready = r->connected_us ? r->connected_us : r->begun_us;
	char id[ENVELOPE_ID_TEXT], all[32], a[32], b[32], c[32], d[32];
	const char *orig = q->rcpt->original.n > 0 ? ", orig_to=<" : "";

	delay_text(since(j->env.arrival_us, now), all);
	delay_text(since(j->env.arrival_us, j->active_us), a);
	delay_text(since(j->active_us, r->begun_us), b);
	delay_text(since(r->begun_us, ready), c);
	delay_text(since(ready, now), d);
	log_name(r->program);
	log_info("%s: to=<%.*s>%s%.*s%s, relay=%s, delay=%s, delays=%s/%s/%s/%s, dsn=%s, status=%s (%.*s)",
		envelope_id_text(j->id, id), STR_ARG(q->rcpt->address), orig, STR_ARG(q->rcpt->original),
		*orig ? ">" : "", e->relay, all, a, b, c, d, e->dsn, words[e->status], STR_ARG(e->text));
	log_name(r->deliver->program);
}

static void send_result(struct run *r)
{
	struct buf out = IPC_BUF;
	struct rcpt_result *results = arena_array(r->mem, r->job.env.n_rcpt, sizeof *results);

	for (size_t i = 0; i < r->job.env.n_rcpt; i++)
		results[i] = r->rcpt[i].result;
	result_encode(&out, r->job.job, results, r->job.env.n_rcpt);
	if (!r->channel->gone)
		ipc_send(&r->channel->ipc, MSG_RESULT, buf_str(&out), NULL, 0);
	buf_free(&out);
}

void deliver_job_ended(struct deliver *d)
{
	d->jobs--;
	if (d->stopping && d->jobs == 0)
		child_exit(&d->child);
}

void deliver_count(struct deliver *d, enum rcpt_status status)
{
	*(status == RCPT_SENT ? &d->sent : status == RCPT_BOUNCED ? &d->bounced : &d->deferred) += 1;
}

static void run_end(struct run *r)
{
	struct deliver *d = r->deliver;
	struct arena *mem = r->mem;

	send_result(r);
	channel_release(r->channel);
	for (size_t i = 0; i < r->job.env.n_rcpt; i++)
		map_done(&r->rcpt[i].ask);
	arena_free(&mem);
	deliver_job_ended(d);
}

static struct str keep(struct run *r, struct str text)
{
	return arena_dup(r->mem, str_sub(text, 0, RESULT_TEXT_MAX));
}

void rcpt_end(struct rcpt_run *q, const struct rcpt_end *e)
{
	struct run *r = q->run;

	require(!q->ended);
	q->ended = true;
	log_line(q, e);
	q->result = (struct rcpt_result){
		.index = q->rcpt->index,
		.status = (uint8_t)e->status,
		.nexthop_dead = e->nexthop_dead,
		.relayed = (uint8_t)e->relayed,
		.dsn = keep(r, str_c(e->dsn)),
		.remote_mta = keep(r, e->remote_mta),
		.diagnostic = keep(r, e->diagnostic),
		.text = keep(r, e->text),
	};
	deliver_count(r->deliver, e->status);
	if (--r->open == 0)
		run_end(r);
}

void rcpt_fail(struct rcpt_run *q, enum rcpt_status status, const char *dsn, const char *fmt, ...)
{
	struct buf text = BUF_INIT(4096);
	struct rcpt_end e = { .status = status, .dsn = dsn, .relay = q->run->command };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	e.text = buf_str(&text);
	if (status != RCPT_SENT)
		e.diagnostic = e.text;
	rcpt_end(q, &e);
	buf_free(&text);
}

static void on_worker_end(struct worker *w, const struct mailbox_result *m)
{
	struct rcpt_run *q = container_of(w, struct rcpt_run, worker);

	rcpt_fail(q, m->status, m->dsn, "%s", m->text);
}

void rcpt_to_mailbox(struct rcpt_run *q)
{
	struct run *r = q->run;
	struct mailbox *m = &q->worker.mailbox;

	m->take_ids = r->deliver->child.root;
	m->host = r->deliver->host;
	m->recipient = q->rcpt->address;
	m->original = q->rcpt->original;
	m->env = &r->job.env;
	m->segments = r->channel->segments;
	m->mime_depth = (unsigned)conf_int(r->view, "mime_nesting_limit");
	q->worker.on_end = on_worker_end;
	worker_start(r->deliver->child.loop, &q->worker);
}

const char *job_command(const struct deliver *d, const struct job *job)
{
	const struct conf_service *s = conf_service_find(d->child.conf, job->service, "unix");

	return s ? s->command : "";
}

static void find_service(struct run *r)
{
	const struct child *c = &r->deliver->child;
	const struct conf_service *s = conf_service_find(c->conf, r->job.service, "unix");

	r->view = s ? s->view : c->main;
	r->command = s ? s->command : arena_cdup(r->mem, r->job.service);
	snprintf(r->program, sizeof r->program, "%s/%s", conf_str(r->view, "syslog_name"), r->command);
}

static void fail_all(struct run *r, const char *dsn, const char *text)
{
	size_t n = r->job.env.n_rcpt;

	for (size_t i = 0; i < n; i++) /* the last one frees the run */
		rcpt_fail(&r->rcpt[i], RCPT_DEFERRED, dsn, "%s", text);
}

void run_begin(struct channel *c, struct arena *mem, const struct job *job)
{
	struct run *r = arena_alloc(mem, sizeof *r);
	size_t n = job->env.n_rcpt;

	*r = (struct run){
		.deliver = c->deliver, .channel = c, .mem = mem, .job = *job, .begun_us = now_us(), .open = n
	};
	c->jobs++;
	c->deliver->jobs++;
	r->rcpt = arena_array(mem, n, sizeof *r->rcpt);
	for (size_t i = 0; i < n; i++) {
		r->rcpt[i].run = r;
		r->rcpt[i].rcpt = &r->job.env.rcpt[i];
	}
	find_service(r);
	if (*job_command(c->deliver, job) == '\0')
		fail_all(r, "4.3.5", "master.cf has no row of type unix for this service");
	else if (strcmp(r->command, "lmtp") == 0)
		lmtp_begin(r);
	else if (strcmp(r->command, "virtual") == 0)
		for (size_t i = 0; i < n; i++)
			virtual_begin(&r->rcpt[i]);
	else if (strcmp(r->command, "local") == 0)
		for (size_t i = 0; i < n; i++)
			local_begin(&r->rcpt[i]);
	else
		fail_all(
			r, "4.3.5", "this service is none that deliver knows: virtual, local, lmtp; look at master.cf");
}
