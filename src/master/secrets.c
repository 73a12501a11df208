/*
 * secrets.c - what smtpd makes the keys of session tickets from: a new one with each reload and when it is as old as a ticket may
 * get; those before stay for as long, so that tickets are good for their whole time. Who took an smtpd over has those of then:
 * after a reload he gets no new one, and after one lifetime more the last that he has opens nothing.
 */
#include "master/master.h"
#include "base/random.h"
#include "msg/master_msg.h"

#include <errno.h>

static uint64_t lifetime_ms(const struct master *m)
{
	return (uint64_t)conf_seconds(m->setup.main, "smtpd_tls_session_cache_timeout") * 1000;
}

struct str secrets_text(const struct master *m)
{
	return str_pn(m->secrets.octets, m->secrets.n * START_SECRET_OCTETS);
}

static void push(struct secrets *s, uint64_t now)
{
	unsigned char fresh[START_SECRET_OCTETS];

	random_octets(fresh, sizeof fresh);
	if (s->n == START_MAX_SECRETS)
		s->n--;
	memmove(s->octets[1], s->octets[0], s->n * sizeof s->octets[0]);
	memmove(s->since_ms + 1, s->since_ms, s->n * sizeof *s->since_ms);
	memcpy(s->octets[0], fresh, sizeof fresh);
	s->since_ms[0] = now;
	s->n++;
	mem_wipe(fresh, sizeof fresh);
}

/* One has a lifetime since the next came, the newest since it came. */
static uint64_t due(const struct master *m)
{
	const struct secrets *s = &m->secrets;

	return s->since_ms[s->n > 1 ? s->n - 2 : 0] + lifetime_ms(m);
}

/* True: there was one. */
static bool drop_oldest(struct master *m, uint64_t now)
{
	struct secrets *s = &m->secrets;

	if (s->n < 2 || due(m) > now)
		return false;
	s->n--;
	mem_wipe(s->octets[s->n], sizeof s->octets[0]);
	return true;
}

static void tell_all(struct master *m)
{
	struct buf out = IPC_BUF;

	ipc_put_str(&out, secrets_text(m));
	/* Who leaves makes do with what it has: it may be why there is another. */
	for (struct proc *p = m->procs; p; p = p->next)
		if (p->role == ROLE_SMTPD && !p->exited && !p->leaving && p->channel_open)
			ipc_send(&p->channel, MSG_TICKETS, buf_str(&out), NULL, 0);
	buf_wipe(&out);
}

static void on_due(uv_timer_t *timer);

static void plan(struct master *m)
{
	const struct secrets *s = &m->secrets;
	uint64_t now = uv_now(m->loop), newest = s->since_ms[0] + lifetime_ms(m), next = due(m);

	next = next < newest ? next : newest;
	if (lifetime_ms(m) == 0) /* there are no tickets */
		uv_timer_stop(&m->secrets.timer);
	else
		uv_timer_start(&m->secrets.timer, on_due, next > now ? next - now : 1, 0);
}

static void on_due(uv_timer_t *timer)
{
	struct master *m = container_of(timer, struct master, secrets.timer);
	uint64_t now = uv_now(m->loop);

	while (drop_oldest(m, now))
		continue;
	if (m->secrets.since_ms[0] + lifetime_ms(m) <= now)
		push(&m->secrets, now);
	tell_all(m);
	plan(m);
}

void secrets_renew(struct master *m)
{
	uv_update_time(m->loop);
	push(&m->secrets, uv_now(m->loop));
	tell_all(m);
	plan(m);
}

void secrets_begin(struct master *m)
{
	uv_timer_init(m->loop, &m->secrets.timer);
	uv_unref((uv_handle_t *)&m->secrets.timer);
	secrets_renew(m);
}
