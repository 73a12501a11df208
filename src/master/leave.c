/* leave.c - how processes end: those that have successors, and all of them when the instance stops. */
#include "master/master.h"
#include "base/log.h"
#include "msg/master_msg.h"

enum { STOP_MS = 8000 };

void proc_tell(struct proc *p, enum stop_how how)
{
	struct buf out = IPC_BUF;

	if (p->exited || !p->channel_open || (p->told && how == STOP_REPLACED))
		return;
	p->told = true;
	ipc_put_u8(&out, (uint8_t)how);
	ipc_send(&p->channel, MSG_STOP, buf_str(&out), NULL, 0);
	buf_free(&out);
}

void procs_retire(struct master *m)
{
	m->needs_fetchd = false; /* until the next authd says so; the one that leaves keeps its own */
	for (struct proc *p = m->procs; p; p = p->next) {
		p->leaving = true;
		if (p->role == ROLE_QUEUED || procs_wanted(m, p->role) == 0)
			proc_tell(p, STOP_REPLACED);
	}
}

void procs_replace(struct master *m, enum role role)
{
	for (struct proc *p = m->procs; p; p = p->next)
		if (p->role == role) {
			p->leaving = true;
			if (procs_wanted(m, role) == 0)
				proc_tell(p, STOP_REPLACED);
		}
}

void procs_kill(struct master *m, int signum)
{
	for (struct proc *p = m->procs; p; p = p->next)
		if (!p->exited)
			uv_process_kill(&p->handle, signum);
}

unsigned procs_count(const struct master *m)
{
	unsigned n = 0;

	for (const struct proc *p = m->procs; p; p = p->next)
		n += !p->exited;
	return n;
}

static bool has_role(const struct master *m, enum role role)
{
	for (const struct proc *p = m->procs; p; p = p->next)
		if (p->role == role && !p->exited)
			return true;
	return false;
}

/*
 * No more mail is taken, and queued waits for what its agents have under way, who ask mapd meanwhile: else what they have
 * delivered would be delivered again after the next start. When it is gone the others have nothing left to do.
 */
static void stop_one(struct master *m, struct proc *p)
{
	bool waits = has_role(m, ROLE_QUEUED);

	if (p->role == ROLE_QUEUED || (waits && (p->role == ROLE_RELAY || p->role == ROLE_DELIVER)))
		proc_tell(p, STOP_INSTANCE);
	else if (p->role == ROLE_SMTPD || !waits)
		proc_tell(p, STOP_NOW);
}

void procs_stop_more(struct master *m)
{
	for (struct proc *p = m->procs; p; p = p->next)
		stop_one(m, p);
	if (procs_count(m) == 0)
		uv_stop(m->loop);
}

static void on_stop_timer(uv_timer_t *timer)
{
	struct master *m = container_of(timer, struct master, stop_timer);

	log_warn("%u processes did not stop in time: killed", procs_count(m));
	procs_kill(m, SIGKILL);
}

void procs_stop_all(struct master *m)
{
	m->stopping = true;
	uv_timer_stop(&m->restart_timer);
	for (struct proc *p = m->procs; p; p = p->next)
		p->leaving = true;
	uv_timer_start(&m->stop_timer, on_stop_timer, STOP_MS, 0);
	procs_stop_more(m);
}
