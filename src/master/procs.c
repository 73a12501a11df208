#include "master/master.h"
#include "base/json_check.h"
#include "base/log.h"
#include "child/start_msg.h"
#include "msg/master_msg.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { QUICK_DEATH_MS = 1000, RESTART_MAX_MS = 1000, SMTPD_HOLD_MS = 2000 };

/* In the order in which they are started; `log` is the name in the log, where tools know Postfix's. */
static const struct {
	enum role role;
	const char *log;
} kinds[] = { { ROLE_QUEUED, "qmgr" }, { ROLE_MAPD, "mapd" }, { ROLE_AUTHPAM, "authpam" }, { ROLE_AUTHD, "authd" },
	{ ROLE_FETCHD, "fetchd" }, { ROLE_RELAY, "smtp" }, { ROLE_DELIVER, "virtual" }, { ROLE_KEYD, "keyd" },
	{ ROLE_SMTPD, "smtpd" } };

static const char *log_word(enum role role)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].role == role)
			return kinds[i].log;
	return role_name(role);
}

unsigned procs_wanted(const struct master *m, enum role role)
{
	switch (role) {
	case ROLE_SMTPD:
		return m->setup.n_smtpd;
	case ROLE_KEYD: /* one for each smtpd */
		return m->certs.store && m->certs.store->record.n_keys > 0 ? m->setup.n_smtpd : 0;
	case ROLE_RELAY:
		return m->setup.has_smtpd ? m->setup.n_relay : 0;
	case ROLE_AUTHD:
		return m->setup.has_authd;
	case ROLE_FETCHD:
		return m->needs_fetchd;
	case ROLE_AUTHPAM:
		return m->setup.has_authpam;
	case ROLE_MAPD:
	case ROLE_QUEUED:
	case ROLE_DELIVER:
		return m->setup.has_smtpd;
	default:
		return 0;
	}
}

/* The process that fills the slot, or NULL. */
static const struct proc *in_slot(const struct master *m, enum role role, unsigned slot)
{
	for (const struct proc *p = m->procs; p; p = p->next)
		if (p->role == role && p->slot == slot && !p->leaving && !p->exited)
			return p;
	return NULL;
}

static unsigned missing(const struct master *m, enum role role)
{
	unsigned n = 0;

	for (unsigned slot = 0; slot < procs_wanted(m, role); slot++) {
		const struct proc *p = in_slot(m, role, slot);

		n += p == NULL || !p->ready;
	}
	return n;
}

unsigned procs_missing(const struct master *m)
{
	unsigned n = 0;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		n += missing(m, kinds[i].role);
	return n;
}

static unsigned free_index(const struct master *m, enum role role)
{
	unsigned index = 0;
	bool again = true;

	while (again) {
		again = false;
		for (const struct proc *p = m->procs; p; p = p->next)
			if (p->role == role && p->index == index && !p->exited) {
				index++;
				again = true;
			}
	}
	return index;
}

static void forget(struct proc *p)
{
	struct proc **at = &p->master->procs;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	store_release(&p->store);
	store_keys_are_read(p);
	free(p);
}

/* A proc has two libuv handles, its process and its channel; it is freed when both are closed. */
static void one_handle_closed(struct proc *p)
{
	if (--p->open_handles == 0)
		forget(p);
}

static void on_handle_closed(uv_handle_t *handle)
{
	one_handle_closed(container_of((uv_process_t *)(void *)handle, struct proc, handle));
}

static void on_channel_closed(struct ipc *channel)
{
	one_handle_closed(container_of(channel, struct proc, channel));
}

static void close_channel(struct proc *p)
{
	if (!p->channel_open)
		return;
	p->channel_open = false;
	ipc_close(&p->channel, on_channel_closed);
}

static void on_channel_end(struct ipc *channel, enum ipc_end how)
{
	struct proc *p = container_of(channel, struct proc, channel);

	if (how == IPC_VIOLATION) {
		log_error(
			"%s[%u] sent master what it may not (%s): killed", role_name(p->role), p->index, channel->why);
		uv_process_kill(&p->handle, SIGKILL);
	}
	close_channel(p);
}

/* The successors can take over, and smtpd may have waited for them. */
static void on_role_ready(struct master *m, enum role role)
{
	for (struct proc *p = m->procs; p && missing(m, role) == 0; p = p->next)
		if (p->role == role && p->leaving)
			proc_tell(p, STOP_REPLACED);
	if (m->smtpd_hold_until_ms)
		procs_fill(m);
}

/* It stands in the status as it is. */
static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
			return false;
	return true;
}

/* What a process says of itself; one that was taken over must not speak for others. */
static struct str or_nothing(struct proc *p, struct str json, bool good)
{
	if (good)
		return json;
	if (!p->garbled)
		log_warn("%s[%d] answered with what is no JSON", role_name(p->role), p->handle.pid);
	p->garbled = true;
	return STR("");
}

static int on_ready(struct ipc *channel, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct proc *p = container_of(channel, struct proc, channel);
	struct str jail = ipc_get_str(in);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in) || p->ready || !is_plain(jail))
		return -1;
	p->ready = true;
	store_keys_are_read(p);
	on_role_ready(p->master, p->role);
	snprintf(p->jail, sizeof p->jail, "%.*s", STR_ARG(jail));
	return 0;
}

static int on_status_answer(struct ipc *channel, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct proc *p = container_of(channel, struct proc, channel);
	uint32_t request = ipc_get_u32(in);
	struct str json = ipc_get_str(in);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	control_status_answer(p->master->control, p, request, or_nothing(p, json, json_is_members(json)));
	return 0;
}

static int on_who_answer(struct ipc *channel, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct proc *p = container_of(channel, struct proc, channel);
	uint32_t request = ipc_get_u32(in);
	bool is_last = ipc_get_u8(in) != 0;
	struct str rows = ipc_get_str(in);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	control_who_answer(p->master->control, p, request, or_nothing(p, rows, json_is_objects(rows)), is_last);
	return 0;
}

static int on_violation(struct ipc *channel, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct proc *p = container_of(channel, struct proc, channel);
	uint8_t role = ipc_get_u8(in);
	uint32_t index = ipc_get_u32(in);
	struct str why = ipc_get_str(in);
	char text[200];

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in) || role >= ROLE_COUNT)
		return -1;
	snprintf(text, sizeof text, "%.*s", STR_ARG(why));
	return accuse(p, (enum role)role, index, text);
}

/* What only authd knows, because only authd reads auth.conf: it names a URL. */
static int on_need(struct ipc *channel, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct proc *p = container_of(channel, struct proc, channel);
	uint8_t role = ipc_get_u8(in);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in) || p->role != ROLE_AUTHD || role != ROLE_FETCHD)
		return -1;
	if (!p->leaving && !p->master->needs_fetchd) {
		p->master->needs_fetchd = true;
		procs_fill(p->master);
	}
	return 0;
}

static const struct ipc_rule from_child[] = {
	{ MSG_READY, 0, on_ready },
	{ MSG_STATUS_ANSWER, 0, on_status_answer },
	{ MSG_WHO_ANSWER, 0, on_who_answer },
	{ MSG_VIOLATION, 0, on_violation },
	{ MSG_NEED, 0, on_need },
};

static void plan_restart(struct master *m, struct proc *p)
{
	uint64_t now = uv_now(m->loop), wait = 0;

	if (now - p->started_ms < QUICK_DEATH_MS) {
		unsigned n = m->quick_deaths[p->role]++;

		wait = n == 0 ? 50 : 100u << (n > 4 ? 4 : n);
		if (wait > RESTART_MAX_MS)
			wait = RESTART_MAX_MS;
	} else {
		m->quick_deaths[p->role] = 0;
	}
	m->restarts[p->role]++;
	m->next_start_ms[p->role] = now + wait;
}

static void end_lease(struct proc *p)
{
	if (p->role == ROLE_SMTPD && p->master->counts)
		counts_end_lease(p->master->counts, p->counts_table);
}

static void on_process_end(uv_process_t *handle, int64_t status, int signum)
{
	struct proc *p = container_of(handle, struct proc, handle);
	struct master *m = p->master;

	p->exited = true;
	end_lease(p);
	edges_drop(p);
	control_proc_gone(m->control, p);
	if (!p->leaving && !m->stopping) {
		if (signum)
			log_warn("process %s pid %d killed by signal %d; starting another", role_name(p->role),
				handle->pid, signum);
		else
			log_warn("process %s pid %d ended with status %d; starting another", role_name(p->role),
				handle->pid, (int)status);
		plan_restart(m, p);
	}
	close_channel(p);
	uv_close((uv_handle_t *)handle, on_handle_closed);
	if (!m->stopping)
		procs_fill(m);
	else if (p->role == ROLE_QUEUED || procs_count(m) == 0)
		procs_stop_more(m);
}

static void send_start(struct master *m, struct proc *p)
{
	struct setup *s = &m->setup;
	struct buf out = IPC_BUF;
	char log_name_text[160];
	int fds[IPC_MAX_FDS];
	unsigned n_fds = 0;
	struct start_msg msg = { .index = p->index,
		.count = procs_wanted(m, p->role),
		.root = m->root,
		.uid = s->uid[p->role],
		.gid = s->gid[p->role],
		.log_to = (uint32_t)s->log_to,
		.slot = p->slot,
		.facility = (uint32_t)s->facility,
		.config_directory = str_c(m->config_directory),
		.queue_directory = str_c(m->queue_directory),
		.seed = str_pn(m->seed, p->role == ROLE_SMTPD ? sizeof m->seed : 0) };

	if (p->role == ROLE_SMTPD) /* who has them opens its tickets */
		msg.secrets = secrets_text(m);

	snprintf(log_name_text, sizeof log_name_text, "%s/%s", conf_str(s->main, "syslog_name"), log_word(p->role));
	msg.log_name = str_c(log_name_text);
	fds[n_fds++] = s->main_cf_fd;
	fds[n_fds++] = s->master_cf_fd;
	if (s->log_to == LOG_TO_FD)
		fds[n_fds++] = s->log_fd;
	if (p->role == ROLE_SMTPD && m->counts) {
		msg.has_counts = 1;
		msg.counts_table = p->counts_table;
		fds[n_fds++] = m->counts_fd;
	}
	if (p->role == ROLE_SMTPD && p->store)
		fds[n_fds + msg.n_store++] = p->store->record.certs_fd;
	if (p->role == ROLE_KEYD)
		msg.n_store = store_give_keys(m, p, fds + n_fds);
	n_fds += msg.n_store;
	for (unsigned i = 0; p->role == ROLE_SMTPD && i < s->listeners.n; i++) {
		struct listen_address *a = &s->listeners.address[i];

		msg.listener[msg.n_listener++] = (struct start_listener){ str_c(a->service),
			str_c(listen_is_local(a) ? "unix" : "inet"), str_c(a->address) };
		fds[n_fds++] = a->fd[p->slot];
	}
	start_msg_encode(&out, &msg);
	ipc_send(&p->channel, MSG_START, buf_str(&out), fds, n_fds);
	buf_wipe(&out);
}

static int spawn(struct master *m, struct proc *p, int child_end)
{
	char path[4096];
	char *args[] = { (char *)(uintptr_t)role_name(p->role), NULL };
	char *empty_environment[] = { "PATH=/usr/bin:/bin", NULL, NULL };
	uv_stdio_container_t stdio[4] = { { .flags = UV_IGNORE }, { .flags = UV_INHERIT_FD, .data.fd = 1 },
		{ .flags = UV_INHERIT_FD, .data.fd = 2 }, { .flags = UV_INHERIT_FD, .data.fd = child_end } };
	uv_process_options_t options = { .exit_cb = on_process_end,
		.file = path,
		.args = args,
		.env = empty_environment,
		.stdio = stdio,
		.stdio_count = 4 };
	const char *asan = getenv("ASAN_OPTIONS");
	char asan_text[512];

	if (asan) {
		snprintf(asan_text, sizeof asan_text, "ASAN_OPTIONS=%s", asan);
		empty_environment[1] = asan_text;
	}
	snprintf(path, sizeof path, "%s/%s", m->program_directory, role_name(p->role));
	return uv_spawn(m->loop, &p->handle, &options);
}

static void start_one(struct master *m, enum role role, unsigned slot)
{
	struct proc *p;
	int pair[2], r;

	if (ipc_pair(pair) != 0) {
		log_error("cannot start %s: %s", role_name(role), strerror(errno));
		m->next_start_ms[role] = uv_now(m->loop) + RESTART_MAX_MS;
		return;
	}
	p = xcalloc(1, sizeof *p);
	p->master = m;
	p->role = role;
	p->slot = slot;
	p->index = free_index(m, role);
	p->generation = m->generation;
	p->started_ms = uv_now(m->loop);
	if (role == ROLE_SMTPD)
		p->store = store_hold(m->certs.store);
	p->counts_table = role == ROLE_SMTPD && m->counts ? counts_lease(m->counts) : COUNTS_NO_TABLE;
	r = spawn(m, p, pair[1]);
	close(pair[1]);
	if (r != 0) {
		log_error("cannot start %s/%s: %s", m->program_directory, role_name(role), uv_strerror(r));
		close(pair[0]);
		p->next = m->procs;
		m->procs = p;
		p->exited = true;
		end_lease(p);
		p->open_handles = 1;
		uv_close((uv_handle_t *)&p->handle, on_handle_closed);
		m->next_start_ms[role] = uv_now(m->loop) + RESTART_MAX_MS;
		return;
	}
	p->next = m->procs;
	m->procs = p;
	ipc_open(&p->channel, m->loop, pair[0], from_child, sizeof from_child / sizeof *from_child, on_channel_end);
	p->channel_open = true;
	p->open_handles = 2;
	send_start(m, p);
	edges_connect(m, p);
}

static void on_restart_timer(uv_timer_t *timer)
{
	procs_fill(container_of(timer, struct master, restart_timer));
}

static bool role_is_leaving(const struct master *m, enum role role)
{
	for (const struct proc *p = m->procs; p; p = p->next)
		if (p->role == role && p->leaving && !p->exited)
			return true;
	return false;
}

/*
 * A first session should find logins and recipients answered, so smtpd of a new generation starts after those that it
 * asks. Their absence must never close port 25: it waits for a moment only.
 */
static bool smtpd_has_to_wait(struct master *m)
{
	if (m->smtpd_hold_until_ms == 0)
		return false;
	if (uv_now(m->loop) < m->smtpd_hold_until_ms &&
		(missing(m, ROLE_QUEUED) || missing(m, ROLE_MAPD) || missing(m, ROLE_AUTHD) || missing(m, ROLE_KEYD)))
		return true;
	m->smtpd_hold_until_ms = 0;
	return false;
}

/* Start what may be started of that role now. Returns when the rest may be, UINT64_MAX: there is no rest. */
static uint64_t fill_role(struct master *m, enum role role)
{
	/* The log has one owner: the next queued starts when the one before is gone. */
	if (role == ROLE_QUEUED && role_is_leaving(m, role))
		return UINT64_MAX;
	for (unsigned slot = 0; slot < procs_wanted(m, role); slot++) {
		if (in_slot(m, role, slot))
			continue;
		if (role == ROLE_SMTPD && smtpd_has_to_wait(m))
			return m->smtpd_hold_until_ms;
		if (m->next_start_ms[role] <= uv_now(m->loop))
			start_one(m, role, slot);
		if (m->next_start_ms[role] > uv_now(m->loop))
			return m->next_start_ms[role];
	}
	return UINT64_MAX;
}

void procs_fill(struct master *m)
{
	uint64_t next = UINT64_MAX;

	if (m->stopping)
		return;
	uv_update_time(m->loop);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		uint64_t when = fill_role(m, kinds[i].role);

		next = when < next ? when : next;
	}
	if (next != UINT64_MAX)
		uv_timer_start(&m->restart_timer, on_restart_timer, next - uv_now(m->loop), 0);
}

void procs_fill_all(struct master *m)
{
	uv_update_time(m->loop);
	m->smtpd_hold_until_ms = uv_now(m->loop) + SMTPD_HOLD_MS;
	procs_fill(m);
}
