#include "authd/fetch.h"
#include "base/test.h"

#include <unistd.h>

/* The far side: keeps what it was asked last, and answers when it is told to. */
struct far {
	struct ipc ipc;
	unsigned setups, asks, cancels;
	uint32_t id, site;
	char text[256]; /* suffix, header and body of the last one */
};

static int on_setup(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct far *f = container_of(ipc, struct far, ipc);
	struct fetch_setup s;

	(void)fds;
	(void)n_fds;
	f->setups++;
	return fetch_setup_decode(in, &s);
}

static int on_ask(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct far *f = container_of(ipc, struct far, ipc);
	struct fetch_ask a;

	(void)fds;
	(void)n_fds;
	f->asks++;
	f->id = ipc_get_u32(in);
	f->site = ipc_get_u32(in);
	check_int(fetch_ask_decode(in, &a), 0);
	snprintf(f->text, sizeof f->text, "%.*s|%.*s|%.*s", STR_ARG(a.suffix), STR_ARG(a.header), STR_ARG(a.body));
	return 0;
}

static int on_cancel(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct far *f = container_of(ipc, struct far, ipc);

	(void)fds;
	(void)n_fds;
	f->cancels++;
	ipc_get_u32(in);
	return 0;
}

static const struct ipc_rule far_rules[] = { { MSG_FETCH_SETUP, FETCH_SITES_MAX, on_setup },
	{ MSG_FETCH_ASK, 0, on_ask }, { MSG_FETCH_CANCEL, 0, on_cancel } };

static void on_far_end(struct ipc *ipc, enum ipc_end end)
{
	(void)end;
	ipc_close(ipc, NULL);
}

static uv_loop_t loop;
static struct fetch_sites sites = { { { "https://a.example/x", "", -1, 60, FETCH_LOSS_LOGINS },
					    { "http://127.0.0.1/y", "", -1, 60, FETCH_LOSS_NONE } },
	2 };

static void turn(unsigned times)
{
	while (times--)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static void far_open(struct far *f, struct fetch *fetch)
{
	int pair[2];

	*f = (struct far){ .setups = 0 };
	check_int(ipc_pair(pair), 0);
	ipc_open(&f->ipc, &loop, pair[1], far_rules, 3, on_far_end);
	fetch_peer(fetch, pair[0]);
	turn(3);
}

static void far_answer(struct far *f, uint32_t id, const struct fetch_answer *a)
{
	struct buf out = IPC_BUF;

	ipc_put_u32(&out, id);
	fetch_answer_encode(&out, a);
	ipc_send(&f->ipc, MSG_FETCH_ANSWER, buf_str(&out), NULL, 0);
	buf_free(&out);
	turn(3);
}

struct asked {
	struct fetch_call call;
	unsigned answers;
	unsigned status;
	char text[128];
};

static void on_done(struct fetch_call *c, const struct fetch_answer *a)
{
	struct asked *q = container_of(c, struct asked, call);

	q->answers++;
	q->status = a->status;
	snprintf(q->text, sizeof q->text, "%.*s%.*s", STR_ARG(a->why), STR_ARG(a->body));
}

/* Until it is answered; the clock of the loop, so that a slow machine changes nothing. */
static void wait_for(const struct asked *q)
{
	while (q->answers == 0)
		uv_run(&loop, UV_RUN_ONCE);
}

static void test_answer(void **state)
{
	struct fetch *f = fetch_new(&loop, &sites);
	struct asked q = { .call.done = on_done };
	struct far far, next;

	(void)state;
	far_open(&far, f);
	check_int(far.setups, 1);
	fetch_start(f, &q.call, 1, &(struct fetch_ask){ true, 60000, STR("?z"), STR("X: y\n"), STR("body") });
	check_int(fetch_under_way(f), 1);
	turn(3);
	check_int(far.asks, 1);
	check_int(far.site, 1);
	check_str(str_c(far.text), "?z|X: y\n|body");
	far_answer(&far, far.id + 1, &(struct fetch_answer){ .status = 200 });
	check_int(q.answers, 0);
	far_answer(&far, far.id, &(struct fetch_answer){ .status = 404, .body = STR("gone") });
	check_int(q.answers, 1);
	check_int(q.status, 404);
	check_str(str_c(q.text), "gone");
	check_int(fetch_under_way(f), 0);

	/* fetchd is started anew: what is under way is asked again. */
	fetch_start(f, &q.call, 0, &(struct fetch_ask){ .timeout_ms = 60000 });
	turn(3);
	check_int(far.asks, 2);
	ipc_close(&far.ipc, NULL);
	turn(3);
	far_open(&next, f);
	check_int(next.asks, 1);
	far_answer(&next, next.id, &(struct fetch_answer){ .status = 200, .body = STR("after all") });
	check_int(q.answers, 2);
	check_str(str_c(q.text), "after all");

	fetch_start(f, &q.call, 0, &(struct fetch_ask){ .timeout_ms = 60000 });
	fetch_cancel(&q.call);
	fetch_cancel(&q.call);
	turn(3);
	check_int(next.cancels, 1);
	far_answer(&next, next.id, &(struct fetch_answer){ .status = 200 });
	check_int(q.answers, 2);
	ipc_close(&next.ipc, NULL);
	turn(3);
}

static void test_no_answer(void **state)
{
	struct fetch *f = fetch_new(&loop, &sites);
	struct asked q = { .call.done = on_done };
	struct far far;

	(void)state;
	fetch_start(f, &q.call, 0, &(struct fetch_ask){ .timeout_ms = 1 });
	check_int(q.answers, 0);
	wait_for(&q);
	check_str(str_c(q.text), "fetchd is not there");
	far_open(&far, f);
	q.answers = 0;
	fetch_start(f, &q.call, 0, &(struct fetch_ask){ .timeout_ms = 1 });
	wait_for(&q);
	check_str(str_c(q.text), "fetchd gave no answer in time");
	turn(3);
	check_int(far.cancels, 1);
	ipc_close(&far.ipc, NULL);
	turn(3);
}

static void test_too_many(void **state)
{
	static struct asked many[FETCH_CALLS_MAX + 1];
	struct fetch *f = fetch_new(&loop, &sites);

	(void)state;
	for (size_t i = 0; i <= FETCH_CALLS_MAX; i++) {
		many[i].call.done = on_done;
		fetch_start(f, &many[i].call, 0, &(struct fetch_ask){ .timeout_ms = 60000 });
	}
	wait_for(&many[FETCH_CALLS_MAX]);
	check_str(str_c(many[FETCH_CALLS_MAX].text), "too many requests are under way");
	check_int(many[0].answers, 0);
	for (size_t i = 0; i < FETCH_CALLS_MAX; i++)
		fetch_cancel(&many[i].call);
	check_int(fetch_under_way(f), 0);
}

static void test_escape(void **state)
{
	struct buf b = BUF_INIT(64);

	(void)state;
	check_int(fetch_escape(&b, str_pn("aZ9-._~+/=&%\0\xff", 14)), 0);
	check_str(buf_str(&b), "aZ9-._~%2B%2F%3D%26%25%00%FF");
	check_int(fetch_escape(&b, STR("                              ")), -1);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_answer), cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_too_many), cmocka_unit_test(test_escape) };

	uv_loop_init(&loop);
	return test_run(tests);
}
