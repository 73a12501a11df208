/*
 * accuse.c - a process says that another broke the table of what it may say (MSG_VIOLATION), and has it ended. Who was taken over
 * may say so as well, of anybody: it counts of one at the other end of a channel, once for a channel, and not again and again.
 */
#include "master/master.h"
#include "base/log.h"

#include <signal.h>

enum {
	WINDOW_MS = 60 * 60 * 1000,
	/* What reads the network, or works for strangers, is sooner the one that is broken than two others are. */
	TIMES_OUTSIDE = 3,
	/* Its neighbours outside may be taken over again and again; that must not cost what is inside. */
	TIMES_INSIDE = 20
};

static unsigned times_of(enum role role)
{
	switch (role) {
	case ROLE_QUEUED:
	case ROLE_MAPD:
	case ROLE_AUTHD:
	case ROLE_KEYD:
		return TIMES_INSIDE;
	default:
		return TIMES_OUTSIDE;
	}
}

static bool is_one_too_many(struct proc *accuser)
{
	uint64_t now = uv_now(accuser->master->loop);

	if (accuser->accusations == 0 || now - accuser->accused_first_ms > WINDOW_MS) {
		accuser->accusations = 0;
		accuser->accused_first_ms = now;
	}
	return ++accuser->accusations > times_of(accuser->role);
}

static void end_accuser(struct proc *accuser)
{
	log_error(
		"%s[%d] accused %u processes within an hour of breaking their permit tables: it is more likely the one "
		"that is broken: killed",
		role_name(accuser->role), accuser->handle.pid, accuser->accusations);
	uv_process_kill(&accuser->handle, SIGKILL);
}

int accuse(struct proc *accuser, enum role role, unsigned index, const char *why)
{
	struct proc *accused = edges_cut(accuser, role, index);

	if (accused == NULL && !edges_belong_together(accuser->role, role))
		return -1;
	if (accused == NULL) { /* it has ended meanwhile */
		log_info("%s[%d] accused %s[%u], with which it has no channel", role_name(accuser->role),
			accuser->handle.pid, role_name(role), index);
		return 0;
	}
	if (is_one_too_many(accuser)) {
		end_accuser(accuser);
		return 0;
	}
	log_error("%s[%d] broke its permit table (%s), says %s[%d]: killed", role_name(role), accused->handle.pid, why,
		role_name(accuser->role), accuser->handle.pid);
	uv_process_kill(&accused->handle, SIGKILL);
	return 0;
}
