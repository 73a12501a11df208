#include "deliver/half.h"
#include "base/jail.h"
#include "base/log.h"
#include "msg/master_msg.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void on_control_end(struct ipc *ipc, enum ipc_end how)
{
	(void)ipc;
	(void)how;
	log_flush();
	_exit(0); /* deliver is gone */
}

static int on_channel(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct deliver *d = container_of(ipc, struct deliver, half);

	if (!ipc_get_end(in) || n_fds != 1)
		return -1;
	queued_open(d, fds[0]);
	fds[0] = -1;
	return 0;
}

static const struct ipc_rule from_deliver[] = { { MSG_PEER, 1, on_channel } };

_Noreturn static void be_half(struct deliver *d, int fd, uid_t uid, gid_t gid)
{
	static const char *readable[] = { "/etc", "/lib", "/usr/lib", "/lib64", "/run/systemd", NULL };
	struct child *c = &d->child;
	char private_dir[4096];
	const char *writable[] = { private_dir, NULL }, *jail;

	if (uv_loop_fork(c->loop) != 0)
		fatal("cannot take the event loop into the LMTP process");
	ipc_close(&c->master, NULL);
	uv_signal_start(&c->sigterm, c->sigterm.signal_cb, SIGTERM);
	d->is_half = true;
	snprintf(private_dir, sizeof private_dir, "%s/private", c->queue_directory);
	jail = jail_enter(&(struct jail){
		.role = JAIL_LMTP, .root = true, .uid = uid, .gid = gid, .readable = readable, .writable = writable });
	ipc_write_now(fd, MSG_READY, str_c(jail), NULL, 0);
	ipc_open(&d->half, c->loop, fd, from_deliver, sizeof from_deliver / sizeof *from_deliver, on_control_end);
	child_run(c);
	_exit(0);
}

static void on_half_end(struct ipc *ipc, enum ipc_end how)
{
	(void)ipc;
	(void)how;
	log_error("the LMTP process has ended; deliver is started anew with it");
	log_flush();
	_exit(1);
}

void half_start(struct deliver *d)
{
	const char *owner = conf_str(d->child.main, "mail_owner");
	const struct passwd *pw;
	int pair[2], fds[IPC_MAX_FDS];
	unsigned n_fds = 0;
	uint16_t type = 0;
	ssize_t n;
	pid_t pid;

	if (!d->child.root)
		return;
	pw = getpwnam(owner);
	if (pw == NULL || pw->pw_uid == 0)
		fatal("mail_owner %s: there is no such account, or it is root", owner);
	if (ipc_pair(pair) != 0)
		fatal("cannot make a channel to the LMTP process: %s", strerror(errno));
	log_flush();
	pid = fork();
	if (pid < 0)
		fatal("cannot start the LMTP process: %s", strerror(errno));
	if (pid == 0) {
		close(pair[0]);
		be_half(d, pair[1], pw->pw_uid, pw->pw_gid);
	}
	close(pair[1]);
	n = ipc_read_now(pair[0], &type, d->half_jail, sizeof d->half_jail - 1, fds, &n_fds);
	if (n >= 0 && type == MSG_READY)
		d->half_jail[n] = '\0';
	else
		fatal("the LMTP process did not start");
	d->has_half = true;
	ipc_open(&d->half, d->child.loop, pair[0], from_deliver, 0, on_half_end); /* it may send nothing there */
}

/* The result goes on as it is, once it was read to its end: the half has less trust than we have. */
static int on_result(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct channel *c = container_of(ipc, struct channel, half);
	struct deliver *d = c->deliver;
	struct arena *mem = arena_new(4096);
	struct rcpt_result *r;
	struct str payload = in->rest;
	uint32_t job;
	size_t n;
	int rc = result_decode(in, mem, &job, &r, &n);

	(void)fds;
	(void)n_fds;
	if (rc == 0 && ipc_get_end(in) && c->half_jobs > 0) {
		for (size_t i = 0; i < n; i++)
			deliver_count(d, (enum rcpt_status)r[i].status);
		if (!c->gone)
			ipc_send(&c->ipc, MSG_RESULT, payload, NULL, 0);
		c->half_jobs--;
		arena_free(&mem);
		deliver_job_ended(d);
		return 0;
	}
	arena_free(&mem);
	return -1;
}

static int on_capacity(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	(void)ipc;
	(void)fds;
	(void)n_fds;
	ipc_get_u32(in);
	return ipc_get_end(in) ? 0 : -1;
}

static const struct ipc_rule from_half[] = { { MSG_RESULT, 0, on_result }, { MSG_CAPACITY, 0, on_capacity } };

static void on_channel_end(struct ipc *ipc, enum ipc_end how)
{
	(void)how;
	on_half_end(ipc, IPC_CLOSED); /* we close it first, when queued goes */
}

void half_connect(struct channel *c)
{
	struct deliver *d = c->deliver;
	int pair[2];

	c->half_closed = true;
	if (!d->has_half)
		return;
	if (ipc_pair(pair) != 0)
		fatal("cannot make a channel to the LMTP process: %s", strerror(errno));
	ipc_send(&d->half, MSG_PEER, STR(""), &pair[1], 1);
	close(pair[1]);
	c->half_closed = false;
	ipc_open(&c->half, d->child.loop, pair[0], from_half, sizeof from_half / sizeof *from_half, on_channel_end);
}

bool half_job(struct channel *c, const struct job *job, struct str payload)
{
	struct deliver *d = c->deliver;

	if (!d->has_half || strcmp(job_command(d, job), "lmtp") != 0)
		return false;
	ipc_send(&c->half, MSG_JOB, payload, NULL, 0);
	c->half_jobs++;
	d->jobs++;
	return true;
}

void half_segment_open(struct channel *c, uint64_t generation, int fd)
{
	struct buf out = IPC_BUF;

	if (!c->deliver->has_half)
		return;
	ipc_put_u64(&out, generation);
	ipc_send(&c->half, MSG_SEG_OPEN, buf_str(&out), &fd, 1);
	buf_free(&out);
}

void half_segment_close(struct channel *c, uint64_t generation)
{
	struct buf out = IPC_BUF;

	if (!c->deliver->has_half)
		return;
	ipc_put_u64(&out, generation);
	ipc_send(&c->half, MSG_SEG_CLOSE, buf_str(&out), NULL, 0);
	buf_free(&out);
}

static void on_closed(struct ipc *ipc)
{
	struct channel *c = container_of(ipc, struct channel, half);

	c->half_closed = true;
	channel_free_if_unused(c);
}

void half_disconnect(struct channel *c)
{
	struct deliver *d = c->deliver;

	if (!d->has_half)
		return;
	/* Its jobs end there, and nobody waits for them. */
	for (; c->half_jobs > 0; c->half_jobs--)
		deliver_job_ended(d);
	ipc_close(&c->half, on_closed);
}
