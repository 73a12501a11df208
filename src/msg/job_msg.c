#include "msg/job_msg.h"
#include "base/log.h"

#include <string.h>

enum { BY_PASSED = 0x80 }; /* beside enum rcpt_relayed */
/* Of a result, octets. 160 KiB take some hundred recipients with the longest texts: the rest of a longer one says nothing. */
enum { DSN_MAX = 16, MTA_MAX = 255, TEXT_MAX = 600 };

void job_encode(struct buf *out, const struct job *j)
{
	struct buf env = BUF_INIT(IPC_MAX_OCTETS);

	ipc_put_u32(out, j->job);
	ipc_put_u64(out, j->active_us);
	ipc_put_str(out, j->service);
	ipc_put_str(out, j->nexthop);
	envelope_encode(&env, &j->env);
	ipc_put_str(out, buf_str(&env));
	buf_free(&env);
}

int job_decode(struct ipc_in *in, struct arena *mem, struct job *j)
{
	struct str env;

	memset(j, 0, sizeof *j);
	j->job = ipc_get_u32(in);
	j->active_us = ipc_get_u64(in);
	j->service = arena_dup(mem, ipc_get_str(in));
	j->nexthop = arena_dup(mem, ipc_get_str(in));
	env = arena_dup(mem, ipc_get_str(in));
	if (!ipc_get_end(in) || envelope_decode(env, mem, &j->env) != 0)
		return -1;
	j->id = j->env.id;
	return 0;
}

void result_encode(struct buf *out, uint32_t job, const struct rcpt_result *r, size_t n)
{
	ipc_put_u32(out, job);
	ipc_put_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		ipc_put_u32(out, r[i].index);
		ipc_put_u8(out, r[i].status);
		ipc_put_u8(out, r[i].nexthop_dead);
		ipc_put_u8(out, (uint8_t)(r[i].relayed | (r[i].by_passed ? BY_PASSED : 0)));
		ipc_put_str(out, str_sub(r[i].dsn, 0, DSN_MAX));
		ipc_put_str(out, str_sub(r[i].remote_mta, 0, MTA_MAX));
		ipc_put_str(out, str_sub(r[i].diagnostic, 0, TEXT_MAX));
		ipc_put_str(out, str_sub(r[i].text, 0, TEXT_MAX));
	}
}

static bool result_is_valid(const struct rcpt_result *r)
{
	return r->status >= RCPT_SENT && r->status <= RCPT_BOUNCED && r->nexthop_dead <= 1 &&
	       r->relayed <= RELAYED_DSN && r->dsn.n <= DSN_MAX && r->remote_mta.n <= MTA_MAX &&
	       r->diagnostic.n <= TEXT_MAX && r->text.n <= TEXT_MAX;
}

int result_decode(struct ipc_in *in, struct arena *mem, uint32_t *job, struct rcpt_result **r, size_t *n)
{
	enum { LEAST_OCTETS = 4 + 3 + 4 * 4 };

	*job = ipc_get_u32(in);
	*n = ipc_get_u32(in);
	*r = NULL;
	if (in->bad || *n > in->rest.n / LEAST_OCTETS)
		return -1;
	*r = arena_array(mem, *n, sizeof **r);
	for (size_t i = 0; i < *n; i++) {
		struct rcpt_result *at = &(*r)[i];

		at->index = ipc_get_u32(in);
		at->status = ipc_get_u8(in);
		at->nexthop_dead = ipc_get_u8(in);
		at->relayed = ipc_get_u8(in);
		at->by_passed = at->relayed & BY_PASSED;
		at->relayed &= (uint8_t)~BY_PASSED;
		at->dsn = arena_dup(mem, ipc_get_str(in));
		at->remote_mta = arena_dup(mem, ipc_get_str(in));
		at->diagnostic = arena_dup(mem, ipc_get_str(in));
		at->text = arena_dup(mem, ipc_get_str(in));
		if (!result_is_valid(at))
			return -1;
	}
	return ipc_get_end(in) ? 0 : -1;
}
