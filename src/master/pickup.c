/*
 * pickup.c - mail in maildrop: looked for now and then, and when there is some, the program `pickup` is run once. It is
 * no child of the usual sort: it has no channel, ends by itself, and nobody waits for it.
 */
#include "master/master.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_MS = 500, AGAIN_MS = 5000 };

struct pickup {
	struct master *master;
	uv_timer_t timer;
	uv_process_t process;
	bool running;
};

static bool has_mail(const struct master *m)
{
	char path[4096];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof path, "%s/maildrop", m->queue_directory);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir)) != NULL)
		found = entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return found;
}

static void on_closed(uv_handle_t *handle)
{
	container_of((uv_process_t *)(void *)handle, struct pickup, process)->running = false;
}

static void on_end(uv_process_t *process, int64_t status, int signum)
{
	if (status != 0 || signum != 0)
		log_warn("pickup ended with status %d, signal %d", (int)status, signum);
	uv_close((uv_handle_t *)process, on_closed);
}

static int spawn(struct pickup *p)
{
	struct master *m = p->master;
	char path[4096], name[160], facility[16];
	char *args[] = { (char *)(uintptr_t) "pickup", m->queue_directory, name, facility, NULL };
	char *environment[] = { (char *)(uintptr_t) "PATH=/usr/bin:/bin", NULL };
	bool to_fd = m->setup.log_to == LOG_TO_FD;
	uv_stdio_container_t stdio[4] = { { .flags = UV_IGNORE }, { .flags = UV_INHERIT_FD, .data.fd = 1 },
		{ .flags = UV_INHERIT_FD, .data.fd = 2 }, { .flags = UV_INHERIT_FD, .data.fd = m->setup.log_fd } };
	uv_process_options_t options = { .exit_cb = on_end,
		.file = path,
		.args = args,
		.env = environment,
		.stdio = stdio,
		.stdio_count = to_fd ? 4 : 3 };

	snprintf(path, sizeof path, "%s/pickup", m->program_directory);
	snprintf(name, sizeof name, "%s/pickup", conf_str(m->setup.main, "syslog_name"));
	snprintf(facility, sizeof facility, "%d", to_fd ? -1 : m->setup.facility);
	return uv_spawn(m->loop, &p->process, &options);
}

static void on_timer(uv_timer_t *timer)
{
	struct pickup *p = container_of(timer, struct pickup, timer);
	int r;

	if (p->running || !p->master->setup.has_smtpd || !has_mail(p->master))
		return;
	p->running = true;
	r = spawn(p);
	if (r == 0)
		return;
	log_error("cannot start %s/pickup: %s", p->master->program_directory, uv_strerror(r));
	uv_close((uv_handle_t *)&p->process, on_closed);
}

void pickup_begin(struct master *m)
{
	m->pickup = xcalloc(1, sizeof *m->pickup);
	m->pickup->master = m;
	uv_timer_init(m->loop, &m->pickup->timer);
	uv_timer_start(&m->pickup->timer, on_timer, FIRST_MS, AGAIN_MS);
}

void pickup_end(struct master *m)
{
	uv_timer_stop(&m->pickup->timer);
}
