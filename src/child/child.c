#include "child/child.h"
#include "base/jail.h"
#include "base/log.h"
#include "child/start_msg.h"
#include "msg/master_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MASTER_FD = 3, ROWS_MAX = 128 * 1024 /* of one message */ };

static struct child *the_child; /* signal and loop handles have no other way to it; a process has one */

static struct str read_text(int fd)
{
	struct stat st;
	char *p;

	if (fstat(fd, &st) != 0)
		fatal("cannot read the configuration that master passed: %s", strerror(errno));
	p = xcalloc(1, (size_t)st.st_size + 1);
	if (pread(fd, p, (size_t)st.st_size, 0) != st.st_size)
		fatal("cannot read the configuration that master passed: %s", strerror(errno));
	close(fd);
	return str_pn(p, (size_t)st.st_size);
}

static void load_conf(struct child *c, const struct start_msg *m, const int *fds)
{
	struct buf errors = BUF_INIT(65536);
	char *dir = xstrndup(m->config_directory);
	struct str main_cf = read_text(fds[0]), master_cf = read_text(fds[1]);

	c->conf = conf_parse(dir, main_cf, master_cf, &errors, NULL);
	if (c->conf == NULL)
		fatal("%s", errors.p ? errors.p : "configuration cannot be read");
	c->main = conf_main(c->conf);
	buf_free(&errors);
	free(dir);
	free((void *)(uintptr_t)main_cf.p);
	free((void *)(uintptr_t)master_cf.p);
}

/* The socket of local mail needs no row in master.cf; one of that name gives it parameters of its own. */
static const struct conf_service *service_of(struct child *c, struct str name, const char *type)
{
	static struct conf_service local = { .name = "pickup", .type = "unix", .command = "pickup" };
	const struct conf_service *row = conf_service_find(c->conf, name, type);

	if (row || strcmp(type, "unix") != 0)
		return row;
	row = conf_service_find(c->conf, name, "fifo");
	local.view = c->main;
	return row ? row : &local;
}

static void take_listeners(struct child *c, const struct start_msg *m, const int *fds, unsigned n_fds)
{
	if (n_fds != m->n_listener)
		fatal("master passed %u listeners and %u descriptors", m->n_listener, n_fds);
	c->n_listener = m->n_listener;
	c->listener = xcalloc(m->n_listener ? m->n_listener : 1, sizeof *c->listener);
	for (uint32_t i = 0; i < m->n_listener; i++) {
		char *type = xstrndup(m->listener[i].type);

		c->listener[i].service = service_of(c, m->listener[i].service, type);
		c->listener[i].fd = fds[i];
		snprintf(
			c->listener[i].address, sizeof c->listener[i].address, "%.*s", STR_ARG(m->listener[i].address));
		c->listener[i].is_local = strcmp(type, "unix") == 0;
		if (c->listener[i].service == NULL)
			fatal("no service %.*s in master.cf", STR_ARG(m->listener[i].service));
		free(type);
	}
}

static int on_peer(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct child *c = container_of(ipc, struct child, master);
	uint8_t role = ipc_get_u8(in);
	uint32_t index = ipc_get_u32(in);

	if (!ipc_get_end(in) || n_fds != 1 || role >= ROLE_COUNT)
		return -1;
	if (c->on_peer) {
		c->on_peer(c, (enum role)role, index, fds[0]);
		fds[0] = -1;
	}
	return 0;
}

static void stop(struct child *c, enum stop_how how)
{
	if (c->on_stop)
		c->on_stop(c, how);
	else
		child_exit(c);
}

static int on_stop(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	uint8_t how = ipc_get_u8(in);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in) || how > STOP_INSTANCE)
		return -1;
	stop(container_of(ipc, struct child, master), (enum stop_how)how);
	return 0;
}

static int on_status(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct child *c = container_of(ipc, struct child, master);
	struct buf json = BUF_INIT(65536), out = IPC_BUF;
	uint32_t request = ipc_get_u32(in);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	if (c->on_status)
		c->on_status(c, &json);
	ipc_put_u32(&out, request);
	ipc_put_str(&out, buf_str(&json));
	ipc_send(ipc, MSG_STATUS_ANSWER, buf_str(&out), NULL, 0);
	buf_free(&json);
	buf_free(&out);
	return 0;
}

static void send_rows(struct child *c, bool is_last)
{
	struct buf out = IPC_BUF;

	ipc_put_u32(&out, c->rows_request);
	ipc_put_u8(&out, is_last);
	ipc_put_str(&out, buf_str(&c->rows));
	ipc_send(&c->master, MSG_WHO_ANSWER, buf_str(&out), NULL, 0);
	buf_free(&out);
	buf_free(&c->rows);
}

void child_tell_row(struct child *c, struct str json)
{
	if (json.n > ROWS_MAX / 2)
		return;
	if (c->rows.n + json.n + 1 > ROWS_MAX)
		send_rows(c, false);
	buf_addf(&c->rows, "%s", c->rows.n ? "," : "");
	buf_add_str(&c->rows, json);
}

static int on_who(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct child *c = container_of(ipc, struct child, master);
	uint32_t request = ipc_get_u32(in);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	c->rows = BUF_INIT(ROWS_MAX);
	c->rows_request = request;
	if (c->on_who)
		c->on_who(c);
	send_rows(c, true);
	return 0;
}

static int on_tickets(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct child *c = container_of(ipc, struct child, master);
	struct str secrets = ipc_get_str(in);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in) || secrets.n == 0 || secrets.n > START_MAX_SECRETS * START_SECRET_OCTETS ||
		secrets.n % START_SECRET_OCTETS != 0)
		return -1;
	if (c->on_tickets)
		c->on_tickets(c, secrets);
	mem_wipe((char *)(uintptr_t)secrets.p, secrets.n); /* the message is ours */
	return 0;
}

static const struct ipc_rule from_master[] = {
	{ MSG_PEER, 1, on_peer },
	{ MSG_STOP, 0, on_stop },
	{ MSG_STATUS, 0, on_status },
	{ MSG_WHO, 0, on_who },
	{ MSG_TICKETS, 0, on_tickets },
};

static void on_master_end(struct ipc *ipc, enum ipc_end how)
{
	(void)ipc;
	(void)how;
	/* Without master nobody restarts us or lends us anything: the successor brings its own children. */
	log_warn("master is gone; exiting");
	log_flush();
	_exit(1);
}

static void on_sigterm(uv_signal_t *handle, int signum)
{
	(void)handle;
	(void)signum;
	stop(the_child, false);
}

static void on_loop_turn(uv_check_t *handle)
{
	(void)handle;
	jail_tell();
	log_flush();
}

static void open_loop(struct child *c)
{
	c->loop = uv_default_loop();
	uv_check_init(c->loop, &c->flush_log);
	uv_check_start(&c->flush_log, on_loop_turn);
	uv_signal_init(c->loop, &c->sigterm);
	uv_signal_start(&c->sigterm, on_sigterm, SIGTERM);
	ipc_open(&c->master, c->loop, MASTER_FD, from_master, sizeof from_master / sizeof *from_master, on_master_end);
}

static void take_start(struct child *c, const struct start_msg *m, const int *fds, unsigned n_fds)
{
	char *log_name_text = xstrndup(m->log_name);
	bool has_log = m->log_to == LOG_TO_FD;
	unsigned n_first = 2U + has_log + (m->has_counts != 0), n_own = n_first + m->n_store;

	if (n_fds < n_own)
		fatal("master passed %u descriptors; at least %u belong to a start", n_fds, n_own);
	log_open((enum log_to)m->log_to, log_name_text, has_log ? fds[2] : 2, (int)m->facility);
	log_verbose(m->verbose);
	c->counts_fd = m->has_counts ? fds[n_first - 1] : -1;
	c->counts_table = m->counts_table;
	c->slot = m->slot;
	c->n_store = m->n_store;
	memcpy(c->store_fd, fds + n_first, m->n_store * sizeof *fds);
	c->index = m->index;
	c->count = m->count;
	c->root = m->root;
	c->uid = m->uid;
	c->gid = m->gid;
	c->queue_directory = xstrndup(m->queue_directory);
	memcpy(c->seed, m->seed.p, m->seed.n < sizeof c->seed ? m->seed.n : sizeof c->seed);
	if (c->on_tickets && m->secrets.n > 0)
		c->on_tickets(c, m->secrets);
	load_conf(c, m, fds);
	take_listeners(c, m, fds + n_own, n_fds - n_own);
	free(log_name_text);
}

void child_begin(struct child *c)
{
	static char payload[IPC_MAX_OCTETS];
	int fds[IPC_MAX_FDS];
	unsigned n_fds = 0;
	uint16_t type = 0;
	ssize_t n = ipc_read_now(MASTER_FD, &type, payload, sizeof payload, fds, &n_fds);
	struct ipc_in in = { { payload, n > 0 ? (size_t)n : 0 }, false };
	struct start_msg m;

	the_child = c;
	if (n < 0 || type != MSG_START || start_msg_decode(&in, &m) != 0)
		fatal("%s is started by master, not by hand: use `gatepost start`", role_name(c->role));
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* ^C on a terminal is master's business */
	umask(077);
	take_start(c, &m, fds, n_fds);
	mem_wipe(payload, n > 0 ? (size_t)n : 0);
	if (chdir(c->queue_directory) != 0)
		fatal("cannot enter queue_directory %s: %s", c->queue_directory, strerror(errno));
	open_loop(c);
}

void child_ready(struct child *c, const char *jail)
{
	struct buf out = IPC_BUF;

	ipc_put_str(&out, str_c(jail));
	ipc_send(&c->master, MSG_READY, buf_str(&out), NULL, 0);
	buf_free(&out);
}

void child_need(struct child *c, enum role role)
{
	struct buf out = IPC_BUF;

	ipc_put_u8(&out, (uint8_t)role);
	ipc_send(&c->master, MSG_NEED, buf_str(&out), NULL, 0);
	buf_free(&out);
}

int child_run(struct child *c)
{
	uv_run(c->loop, UV_RUN_DEFAULT);
	jail_tell();
	log_flush();
	return 0;
}

void child_exit(struct child *c)
{
	uv_stop(c->loop);
}

void child_violation(struct child *c, enum role role, unsigned index, const char *why)
{
	struct buf out = IPC_BUF;

	log_error("%s[%u] asked for what it may not: %s", role_name(role), index, why);
	ipc_put_u8(&out, (uint8_t)role);
	ipc_put_u32(&out, index);
	ipc_put_str(&out, str_c(why));
	ipc_send(&c->master, MSG_VIOLATION, buf_str(&out), NULL, 0);
	buf_free(&out);
}
