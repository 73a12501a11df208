#include "msg/job_msg.h"
#include "base/test.h"

static void test_job(void **state)
{
	struct envelope_rcpt rcpt = { 3, NOTIFY_NEVER, { "b@d", 3 }, { "", 0 }, { "", 0 }, 0, false };
	struct extent extent = { 9, 4120, 77 };
	struct job must = { .job = 5,
		.id = 42,
		.service = STR("smtp"),
		.nexthop = STR("[127.0.0.1]:25"),
		.env = { .id = 42, .sender = STR("a@s"), .rcpt = &rcpt, .n_rcpt = 1, .extent = &extent, .n_extent = 1 },
		.active_us = 99 };
	struct buf b = IPC_BUF;
	struct arena *mem = arena_new(0);
	struct ipc_in in;
	struct job j;

	(void)state;
	job_encode(&b, &must);
	in = (struct ipc_in){ buf_str(&b), false };
	check_int(job_decode(&in, mem, &j), 0);
	check(j.job == 5 && j.id == 42 && j.active_us == 99 && j.env.n_rcpt == 1 && j.env.rcpt[0].index == 3);
	check_str(j.service, "smtp");
	check_str(j.nexthop, "[127.0.0.1]:25");
	check_str(j.env.rcpt[0].address, "b@d");
	check_int(j.env.extent[0].octets, 77);
	for (size_t n = 0; n < b.n; n++) {
		in = (struct ipc_in){ str_pn(b.p, n), false };
		check_int(job_decode(&in, mem, &j), -1);
	}
	buf_add_char(&b, 'x');
	in = (struct ipc_in){ buf_str(&b), false };
	check_int(job_decode(&in, mem, &j), -1);
	arena_free(&mem);
	buf_free(&b);
}

static void test_result(void **state)
{
	struct rcpt_result must[2] = {
		{ .index = 1,
			.status = RCPT_SENT,
			.relayed = 1,
			.dsn = STR("2.0.0"),
			.remote_mta = STR("mx"),
			.text = STR("ok") },
		{ .index = 2,
			.status = RCPT_DEFERRED,
			.nexthop_dead = 1,
			.dsn = STR("4.4.1"),
			.diagnostic = STR("421 x") },
	};
	struct rcpt_result *r;
	struct buf b = IPC_BUF;
	struct arena *mem = arena_new(0);
	struct ipc_in in;
	uint32_t job;
	size_t n;

	static const struct {
		size_t at;
		unsigned char octet;
	} wrong[] = {
		{ 12, 0 },	      /* the status */
		{ 12, 4 }, { 13, 2 }, /* is the nexthop dead? */
		{ 14, 3 },	      /* relayed to whom? */
		{ 14, 0x83 }	      /* with DELIVERBY */
	};

	(void)state;
	result_encode(&b, 77, must, 2);
	in = (struct ipc_in){ buf_str(&b), false };
	check_int(result_decode(&in, mem, &job, &r, &n), 0);
	check(job == 77 && n == 2 && r[0].index == 1 && r[0].status == RCPT_SENT && r[0].relayed && !r[0].nexthop_dead);
	check(r[1].index == 2 && r[1].status == RCPT_DEFERRED && r[1].nexthop_dead && !r[1].relayed);
	check_str(r[0].remote_mta, "mx");
	check_str(r[1].diagnostic, "421 x");
	for (size_t cut = 0; cut < b.n; cut++) {
		in = (struct ipc_in){ str_pn(b.p, cut), false };
		check_int(result_decode(&in, mem, &job, &r, &n), -1);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		buf_reset(&b);
		result_encode(&b, 77, must, 1);
		b.p[wrong[i].at] = (char)wrong[i].octet;
		in = (struct ipc_in){ buf_str(&b), false };
		check_int(result_decode(&in, mem, &job, &r, &n), -1);
	}
	buf_reset(&b);
	ipc_put_u32(&b, 77);
	ipc_put_u32(&b, 1);
	ipc_put_u32(&b, 1);
	for (int i = 0; i < 3; i++)
		ipc_put_u8(&b, RCPT_SENT);
	ipc_put_str(&b, STR("5.1.1 and what is no status"));
	for (int i = 0; i < 3; i++)
		ipc_put_str(&b, STR(""));
	in = (struct ipc_in){ buf_str(&b), false };
	check_int(result_decode(&in, mem, &job, &r, &n), -1);
	buf_reset(&b);
	ipc_put_u32(&b, 1);
	ipc_put_u32(&b, UINT32_MAX); /* more than could be there: no such array is made */
	in = (struct ipc_in){ buf_str(&b), false };
	check_int(result_decode(&in, mem, &job, &r, &n), -1);
	arena_free(&mem);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_job),
		cmocka_unit_test(test_result),
	};

	return test_run(tests);
}
