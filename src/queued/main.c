/*
 * queued - the queue: sole owner of the log; recovery, retry, destinations, reports.
 *
 *	runs as		queue_owner
 *	jail		chroot to queue_directory, Landlock: log/ alone, seccomp without network
 *	has		queue_directory/log; the control socket public/queue
 *	peers		smtpd (segments, notices), relay and deliver (jobs), mapd (routes)
 *
 * queued(8)
 */
#include "queued/queued.h"
#include "base/jail.h"
#include "base/log.h"

#include <time.h>

static struct queued the_queue;

static void on_peer(struct child *c, enum role role, unsigned index, int fd)
{
	struct queued *q = container_of(c, struct queued, child);

	if (role == ROLE_SMTPD)
		smtpd_peer(q, index, fd);
	else if (role == ROLE_MAPD)
		map_client_peer(q->map, fd);
	else
		agent_peer(q, role, index, fd);
}

static void on_stop(struct child *c, enum stop_how how)
{
	queued_leave(container_of(c, struct queued, child), how);
}

static void on_status(struct child *c, struct buf *json)
{
	const struct queued *q = container_of(c, struct queued, child);
	size_t segments = 0, spare = 0, waiting = 0;

	for (const struct segment *s = q->segments; s; s = s->next) {
		segments++;
		spare += s->state == SEG_FREE;
		waiting += s->again_ms != 0;
	}
	buf_addf(json,
		"\"messages\":%zu,\"recipients\":%zu,\"active\":%zu,\"incoming\":%zu,\"deferred\":%zu,\"hold\":%zu,"
		"\"segments\":%zu,\"segments_spare\":%zu,\"destinations\":%zu,\"recovering\":%s,\"damaged\":%llu,"
		"\"segments_waiting_for_disk\":%zu,\"octets_unreadable\":%llu,"
		"\"intake\":%u,\"accepted\":%llu,\"sent\":%llu,\"deferrals\":%llu,\"bounced\":%llu,\"reports\":%zu",
		q->n_messages, q->n_rcpts, q->n_active, q->fresh.n + q->n_urgent, q->n_waiting + q->due.n, q->held.n,
		segments, spare, q->n_dests, q->recovering ? "true" : "false", (unsigned long long)q->damaged, waiting,
		(unsigned long long)reread_lost(q), q->intake, (unsigned long long)q->n_accepted,
		(unsigned long long)q->n_sent, (unsigned long long)q->n_deferred, (unsigned long long)q->n_bounced,
		q->n_reports);
}

static void on_tick(uv_timer_t *timer)
{
	struct queued *q = container_of(timer, struct queued, tick);
	uint32_t now = loop_now_s(q);
	bool foreign = segments_tick(q);

	uv_timer_start(timer, on_tick, foreign ? 50 : 1000, 0);
	if (now == q->ticked_s)
		return;
	wall_clock_look(q);
	wheel_turn(q);
	reread_tick(q);
	result_flush(q, false);
	space_check(q);
	reports_retry(q);
	if (now / 10 != q->ticked_s / 10) {
		dests_tick(q);
		survivors_move(q);
		result_compact(q);
	}
	q->ticked_s = now;
}

static void on_busy(uv_idle_t *idle)
{
	struct queued *q = container_of(idle, struct queued, busy);
	bool more = take_some(q);

	active_pump(q);
	schedule(q);
	if (q->unread > 0 || q->intake)
		space_check(q);
	if (!more && (q->n_active >= q->active_limit || messages_ready(q) == 0))
		uv_idle_stop(idle);
}

static void end_turn(struct queued *q)
{
	result_write(q);
	if (!q->recycle_due)
		return;
	q->recycle_due = false;
	segments_recycle(q);
}

static void on_check(uv_check_t *check)
{
	end_turn(container_of(check, struct queued, check));
}

static void on_prepare(uv_prepare_t *prepare)
{
	end_turn(container_of(prepare, struct queued, prepare));
}

static void read_conf(struct queued *q)
{
	const struct conf_view *v = q->child.main;

	q->min_backoff_s = (uint64_t)conf_seconds(v, "minimal_backoff_time");
	q->max_backoff_s = (uint64_t)conf_seconds(v, "maximal_backoff_time");
	q->lifetime_s = (uint64_t)conf_seconds(v, "maximal_queue_lifetime");
	q->bounce_lifetime_s = (uint64_t)conf_seconds(v, "bounce_queue_lifetime");
	q->delay_warning_s = (uint64_t)conf_seconds(v, "delay_warning_time");
	q->min_free = (uint64_t)conf_int(v, "queue_minfree");
	q->message_limit = (uint64_t)conf_int(v, "message_size_limit");
	q->bounce_size_limit = (uint64_t)conf_int(v, "bounce_size_limit");
	q->active_limit = (size_t)conf_int(v, "qmgr_message_active_limit");
	q->myhostname = str_c(conf_str(v, "myhostname"));
	q->mail_name = str_c(conf_str(v, "mail_name"));
	q->flush_domains =
		match_list_new(str_c(conf_str(v, "fast_flush_domains"))); /* reads its files, before the jail */
	if (q->max_backoff_s < q->min_backoff_s)
		q->max_backoff_s = q->min_backoff_s;
	if (q->bounce_lifetime_s > q->lifetime_s)
		q->bounce_lifetime_s = q->lifetime_s;
}

static void start_handles(struct queued *q)
{
	uv_loop_t *loop = q->child.loop;

	uv_check_init(loop, &q->check);
	uv_check_start(&q->check, on_check);
	uv_prepare_init(loop, &q->prepare);
	uv_prepare_start(&q->prepare, on_prepare);
	uv_idle_init(loop, &q->busy);
	uv_idle_start(&q->busy, on_busy);
	uv_timer_init(loop, &q->tick);
	uv_timer_start(&q->tick, on_tick, 50, 0);
	q->wheel_at = loop_now_s(q);
}

int main(void)
{
	static const char *const writable[] = { "log", NULL };
	struct queued *q = &the_queue;
	struct timespec now;

	q->child =
		(struct child){ .role = ROLE_QUEUED, .on_peer = on_peer, .on_stop = on_stop, .on_status = on_status };
	child_begin(&q->child);
	clock_gettime(CLOCK_REALTIME, &now);
	q->start_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	q->start_ms = q->recovery_began_ms = uv_now(q->child.loop);
	q->results = BUF_INIT(64 * 1024 * 1024);
	read_conf(q);
	segments_open(q);
	control_open(q);
	q->map = map_client_new(q->child.loop, q->child.conf);
	own_open(q);
	start_handles(q);
	child_ready(&q->child, jail_enter(&(struct jail){ .role = JAIL_QUEUED,
				       .root = q->child.root,
				       .uid = q->child.uid,
				       .gid = q->child.gid,
				       .chroot_dir = q->child.queue_directory,
				       .writable = writable }));
	segments_start(q);
	control_start(q);
	return child_run(&q->child);
}
