/*
 * What another of our processes may send once it was taken over: octet 0 picks the message, the rest is its payload. Oracle:
 * what is understood is understood the same when it is sent on (deliver hands jobs and results on).
 */
#include "base/log.h"
#include "child/start_msg.h"
#include "msg/job_msg.h"
#include "msg/map_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct ipc_in input(struct str payload)
{
	return (struct ipc_in){ payload, false };
}

static void start(struct str payload)
{
	struct ipc_in in = input(payload);
	struct buf again = IPC_BUF;
	struct start_msg m;

	if (start_msg_decode(&in, &m) == 0) {
		start_msg_encode(&again, &m);
		require(str_eq(buf_str(&again), payload));
	}
	buf_free(&again);
}

static void job(struct str payload, struct arena *mem)
{
	struct ipc_in in = input(payload), second;
	struct buf once = IPC_BUF, twice = IPC_BUF;
	struct job j, k;

	/* Not octet for octet: an envelope may have been written with other lengths of its numbers. */
	if (job_decode(&in, mem, &j) == 0) {
		job_encode(&once, &j);
		second = input(buf_str(&once));
		require(job_decode(&second, mem, &k) == 0);
		job_encode(&twice, &k);
		require(str_eq(buf_str(&once), buf_str(&twice)));
	}
	buf_free(&once);
	buf_free(&twice);
}

static void result(struct str payload, struct arena *mem)
{
	struct ipc_in in = input(payload);
	struct buf again = IPC_BUF;
	struct rcpt_result *r;
	uint32_t number;
	size_t n;

	if (result_decode(&in, mem, &number, &r, &n) == 0) {
		for (size_t i = 0; i < n; i++)
			require(r[i].status >= RCPT_SENT && r[i].status <= RCPT_BOUNCED);
		result_encode(&again, number, r, n);
		require(str_eq(buf_str(&again), payload));
	}
	buf_free(&again);
}

static void answer(struct str payload, struct arena *mem)
{
	struct ipc_in in = input(payload);
	struct buf again = IPC_BUF;
	struct map_answer a;
	uint32_t request = ipc_get_u32(&in);

	if (map_answer_decode(&in, mem, &a) == 0) {
		map_answer_encode(&again, request, &a);
		require(str_eq(buf_str(&again), payload));
	}
	buf_free(&again);
}

/* Addresses before an answer, in two messages. */
static void more(struct str payload, struct arena *mem)
{
	struct ipc_in in = input(payload), again = in;
	struct str *all = NULL;
	size_t n = 0, once;

	if (map_more_decode(&in, mem, &all, &n) != 0)
		return;
	once = n;
	if (map_more_decode(&again, mem, &all, &n) != 0)
		return;
	require(n == 2 * once);
	for (size_t i = 0; i < once; i++)
		require(str_eq(all[i], all[once + i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *mem = arena_new(0);
	struct str payload = str_from(str_pn(p, n), 1);

	if (n > 0 && n < IPC_MAX_OCTETS) {
		switch (p[0] % 4) {
		case 0:
			start(payload);
			break;
		case 1:
			job(payload, mem);
			break;
		case 2:
			result(payload, mem);
			break;
		default:
			answer(payload, mem);
			more(payload, mem);
			break;
		}
	}
	arena_free(&mem);
	return 0;
}
