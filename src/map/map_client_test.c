#include "map/map_client.h"
#include "base/ipc.h"
#include "base/test.h"
#include "msg/map_msg.h"

#include <stdlib.h>
#include <unistd.h>

static const char main_cf[] = "myhostname = mx.example.net\nmydestination = localhost\n"
			      "virtual_mailbox_domains = box.example\n"
			      "virtual_mailbox_maps = hash:/nonexistent/boxes\n"
			      "relayhost = [smart.example]:587\nalias_maps =\nlocal_recipient_maps =\n";

struct asked {
	struct map_request request;
	unsigned answers;
};

static void on_answer(struct map_request *r)
{
	container_of(r, struct asked, request)->answers++;
}

/* The far side: answers nothing by itself. */
struct far {
	struct ipc ipc;
	unsigned questions;
	uint16_t type;
	uint32_t id;
	bool ended;
};

static int on_question(struct ipc *ipc, struct ipc_in *in, uint16_t type)
{
	struct far *f = container_of(ipc, struct far, ipc);

	f->questions++;
	f->type = type;
	f->id = ipc_get_u32(in);
	return 0;
}

static int on_lookup(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n)
{
	(void)fds;
	(void)n;
	return on_question(ipc, in, MSG_MAP_LOOKUP);
}

static int on_rcpt(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n)
{
	(void)fds;
	(void)n;
	return on_question(ipc, in, MSG_MAP_RCPT);
}

static const struct ipc_rule far_rules[] = { { MSG_MAP_LOOKUP, 0, on_lookup }, { MSG_MAP_RCPT, 0, on_rcpt } };

static void on_far_end(struct ipc *ipc, enum ipc_end end)
{
	(void)end;
	container_of(ipc, struct far, ipc)->ended = true;
	ipc_close(ipc, NULL);
}

static struct conf *conf;
static uv_loop_t loop;

static void turn(unsigned times)
{
	while (times--)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static void far_open(struct far *f, struct map_client *c)
{
	int pair[2];

	*f = (struct far){ .questions = 0 };
	check_int(ipc_pair(pair), 0);
	ipc_open(&f->ipc, &loop, pair[0], far_rules, 2, on_far_end);
	map_client_peer(c, pair[1]);
}

static void far_answer(struct far *f, uint32_t id, const struct map_answer *a)
{
	struct map_answer rest = *a;
	struct buf out = IPC_BUF;

	while (map_more_encode(&out, id, &rest)) {
		ipc_send(&f->ipc, MSG_MAP_MORE, buf_str(&out), NULL, 0);
		buf_reset(&out);
	}
	map_answer_encode(&out, id, &rest);
	ipc_send(&f->ipc, MSG_MAP_ANSWER, buf_str(&out), NULL, 0);
	buf_free(&out);
}

static void test_local(void **state)
{
	struct map_client *c = map_client_new(&loop, conf);
	struct asked a = { .request.on_answer = on_answer }, b = a, cancelled = a;

	(void)state;
	map_rcpt(c, &a.request, STR("x@elsewhere.example"));
	map_route(c, &b.request, STR("x@elsewhere.example"), STR(""));
	map_lookup(c, &cancelled.request, STR("static:x"), STR("k"), MAP_EXACT);
	check_int(a.answers, 0); /* never from within */
	map_cancel(&cancelled.request);
	turn(2);
	check_int(a.answers, 1);
	check_int(b.answers, 1);
	check_int(cancelled.answers, 0);
	check_int(a.request.class, CLASS_DEFAULT);
	check_str(b.request.service, "smtp");
	check_str(b.request.nexthop, "[smart.example]:587");
	map_done(&a.request);
	map_done(&b.request);
	map_done(&cancelled.request);
	map_client_free(&c);
	turn(3);
}

static void test_remote(void **state)
{
	struct str expanded[] = { STR("a@box.example"), STR("b@box.example") };
	struct map_answer answer = { .status = MAP_FOUND,
		.class = CLASS_VIRTUAL_MAILBOX,
		.exists = true,
		.expanded = expanded,
		.n_expanded = 2 };
	struct map_client *c = map_client_new(&loop, conf);
	struct asked a = { .request.on_answer = on_answer }, b = a, d = a;
	struct far f, g;

	(void)state;
	map_rcpt(c, &a.request, STR("a@box.example")); /* mapd is not there yet */
	far_open(&f, c);
	turn(3);
	check_int(f.questions, 1);
	check_int(f.type, MSG_MAP_RCPT);
	map_rcpt(c, &b.request, STR("b@box.example"));
	map_rcpt(c, &d.request, STR("d@box.example"));
	turn(3);
	check_int(f.questions, 3);
	far_answer(&f, d.request.id, &answer); /* out of order */
	far_answer(&f, 12345, &answer);	       /* nobody asked */
	turn(4);
	check_int(d.answers, 1);
	check_int(a.answers, 0);
	check_int(d.request.n_expanded, 2);
	check_str(d.request.expanded[1], "b@box.example");
	check_int(d.request.exists, 1);
	map_cancel(&b.request);
	/* mapd dies; the next one is asked again, what was cancelled is not. */
	ipc_close(&f.ipc, NULL);
	turn(3);
	far_open(&g, c);
	turn(3);
	check_int(g.questions, 1);
	check_int(g.id, a.request.id);
	far_answer(&g, g.id, &answer);
	turn(4);
	check_int(a.answers, 1);
	check_int(b.answers, 0);
	/* A malformed answer ends the channel and nothing else. */
	ipc_send(&g.ipc, MSG_MAP_ANSWER, STR("\1\0\0\0zz"), NULL, 0);
	turn(4);
	check(g.ended);
	map_done(&a.request);
	map_done(&b.request);
	map_done(&d.request);
	map_client_free(&c);
	turn(3);
}

/* An alias with more addresses than one message takes; the first mapd dies when it has told some. */
static void test_long_alias(void **state)
{
	enum { MANY = 6000 };
	struct arena *mem = arena_new(0);
	struct str *expanded = arena_array(mem, MANY, sizeof *expanded);
	struct map_answer answer = { .status = MAP_FOUND, .expanded = expanded, .n_expanded = MANY }, part = answer;
	struct map_client *c = map_client_new(&loop, conf);
	struct asked a = { .request.on_answer = on_answer }, b = a;
	struct buf out = IPC_BUF;
	struct far f;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		expanded[i] = str_c(arena_printf(mem, "%060u@box.example", i));
	far_open(&f, c);
	map_rcpt(c, &a.request, STR("a@box.example"));
	turn(3);
	check(map_more_encode(&out, f.id, &part));
	ipc_send(&f.ipc, MSG_MAP_MORE, buf_str(&out), NULL, 0);
	turn(3);
	ipc_close(&f.ipc, NULL);
	turn(3);
	far_open(&f, c);
	turn(3);
	far_answer(&f, f.id, &answer);
	far_answer(&f, 12345, &answer); /* nobody asked */
	turn(9);
	check_int(a.answers, 1);
	check_int(a.request.n_expanded, MANY);
	check_str(a.request.expanded[0], "000000000000000000000000000000000000000000000000000000000000@box.example");
	check_str(a.request.expanded[MANY - 1],
		"000000000000000000000000000000000000000000000000000000005999@box.example");
	check(!f.ended);
	map_rcpt(c, &b.request, STR("b@box.example"));
	turn(3);
	far_answer(&f, f.id, &(struct map_answer){ .status = MAP_NOT_FOUND });
	turn(4);
	check_int(b.request.n_expanded, 0);
	ipc_send(&f.ipc, MSG_MAP_MORE, STR("\1\0\0\0\5\0\0\0zz"), NULL, 0);
	turn(4);
	check(f.ended);
	map_done(&a.request);
	map_done(&b.request);
	buf_free(&out);
	arena_free(&mem);
	map_client_free(&c);
	turn(3);
}

static void test_many(void **state)
{
	enum { MANY = 1000 };
	struct asked *all = calloc(MANY, sizeof *all);
	struct map_answer answer = { .status = MAP_NOT_FOUND, .class = CLASS_DEFAULT };
	struct map_client *c = map_client_new(&loop, conf);
	struct far f;

	(void)state;
	far_open(&f, c);
	for (unsigned i = 0; i < MANY; i++) {
		all[i].request.on_answer = on_answer;
		map_lookup(c, &all[i].request, STR("hash:/x"), STR("k"), MAP_EXACT);
	}
	turn(20);
	check_int(f.questions, MANY);
	for (unsigned i = MANY; i-- > 0;)
		far_answer(&f, all[i].request.id, &answer);
	turn(20);
	for (unsigned i = 0; i < MANY; i++) {
		check_int(all[i].answers, 1);
		check_int(all[i].request.status, MAP_NOT_FOUND);
		map_done(&all[i].request);
	}
	ipc_close(&f.ipc, NULL);
	map_client_free(&c);
	turn(3);
	free(all);
}

/* The answer is what comes out again, and every cut of it is refused. */
static void test_codec(void **state)
{
	struct str expanded[] = { STR("a"), STR("bc") };
	struct map_answer in = { MAP_TEMPORARY, STR("why"), STR("value"), CLASS_RELAY, true, true, expanded, 2,
		STR("s"), STR("n") };
	struct buf out = IPC_BUF;
	struct arena *mem = arena_new(0);
	struct map_answer a;

	(void)state;
	map_answer_encode(&out, 7, &in);
	for (size_t cut = 0; cut <= out.n; cut++) {
		struct ipc_in msg = { .rest = str_sub(buf_str(&out), 0, cut) };

		ipc_get_u32(&msg);
		check_int(map_answer_decode(&msg, mem, &a), cut == out.n ? 0 : -1);
	}
	check_str(a.why, "why");
	check_str(a.value, "value");
	check_str(a.nexthop, "n");
	check_str(a.expanded[1], "bc");
	check(a.exists && a.alias_loop && a.class == CLASS_RELAY && a.status == MAP_TEMPORARY);
	buf_reset(&out);
	in.n_expanded = 70000;
	in.expanded = calloc(70000, sizeof *in.expanded);
	map_answer_encode(&out, 7, &in);
	check(out.n < 1000);
	free(in.expanded);
	buf_free(&out);
	arena_free(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_local), cmocka_unit_test(test_remote),
		cmocka_unit_test(test_many), cmocka_unit_test(test_long_alias), cmocka_unit_test(test_codec) };
	struct buf errors = BUF_INIT(65536);
	int failed;

	conf = conf_parse("/nonexistent", str_c(main_cf), STR(""), &errors, NULL);
	if (conf == NULL) {
		printf("%s\n", errors.p);
		return 1;
	}
	uv_loop_init(&loop);
	failed = test_run(tests);
	turn(5);
	failed |= uv_loop_close(&loop) != 0;
	conf_free(&conf);
	buf_free(&errors);
	return failed;
}
