/*
 * authpam - asks PAM for authd. Manual: man/authpam.8.
 *
 * It is there only while a passdb has driver = pam. PAM's modules block, leak, fork, open what they like and want root, which
 * is why none of them is loaded into authd: each question has a process of its own, which says yes or no and ends.
 *
 * uid: root (pam_unix reads /etc/shadow), with the capabilities that modules need. Landlock: reads the system, writes next to
 * nothing, runs programs of the system. Peers: authd (pam_msg.h), nobody else; master.
 */
#include "authpam/authpam.h"

#include "base/jail.h"
#include "base/log.h"

#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATHS_MAX = 96, LINE_MAX_OCTETS = 4096 };

static struct authpam the_authpam; /* one per process; zeroed */

/* ---- channels ---- */

static int on_ask(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct authd_link *l = container_of(ipc, struct authd_link, ipc);
	struct str octets = in->rest;
	struct pam_ask ask;
	int r = pam_ask_decode(in, &ask);

	(void)fds;
	(void)n_fds;
	if (r == 0)
		asks_add(&l->authpam->asks, l, &ask);
	mem_wipe((char *)(uintptr_t)octets.p, octets.n); /* the channel's memory has the password */
	return r;
}

static const struct ipc_rule from_authd[] = { { MSG_PAM_ASK, 0, on_ask } };

static void on_closed(struct ipc *ipc)
{
	struct authd_link *l = container_of(ipc, struct authd_link, ipc);
	struct authpam *a = l->authpam;

	free(l);
	if (a->is_leaving && a->links == NULL)
		child_exit(&a->child);
}

static void on_end(struct ipc *ipc, enum ipc_end how)
{
	struct authd_link *l = container_of(ipc, struct authd_link, ipc), **at = &l->authpam->links;

	if (how == IPC_VIOLATION)
		child_violation(&l->authpam->child, ROLE_AUTHD, l->index, ipc->why);
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	asks_drop(&l->authpam->asks, l);
	ipc_close(ipc, on_closed);
}

static void on_peer(struct child *c, enum role role, unsigned index, int fd)
{
	struct authpam *a = container_of(c, struct authpam, child);
	struct authd_link *l;

	if (role != ROLE_AUTHD) {
		close(fd);
		return;
	}
	l = xcalloc(1, sizeof *l);
	l->authpam = a;
	l->index = index;
	l->next = a->links;
	a->links = l;
	ipc_open(&l->ipc, c->loop, fd, from_authd, sizeof from_authd / sizeof *from_authd, on_end);
}

/* Its authd goes when the last of its logins is answered. */
static void on_stop(struct child *c, enum stop_how how)
{
	struct authpam *a = container_of(c, struct authpam, child);

	a->is_leaving = true;
	if (how == STOP_NOW || a->links == NULL)
		child_exit(c);
}

static void on_status(struct child *c, struct buf *json)
{
	const struct asks *a = &container_of(c, struct authpam, child)->asks;

	buf_addf(json, "\"running\":%u,\"waiting\":%u,\"ok\":%llu,\"refused\":%llu,\"failed\":%llu,\"killed\":%llu",
		a->n_running, a->n_waiting, (unsigned long long)a->n_ok, (unsigned long long)a->n_no,
		(unsigned long long)a->n_failed, (unsigned long long)a->n_killed);
}

/* ---- the jail ---- */

struct paths {
	struct arena *mem;
	const char *list[PATHS_MAX + 1];
	size_t n;
};

static void add_path(struct paths *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->list[i], path) == 0)
			return;
	if (p->n < PATHS_MAX)
		p->list[p->n++] = path;
}

/* "auth required pam_userdb.so db=/srv/x/users": what a module was told of may be read, and run. */
static void add_from_line(struct paths *p, const char *line)
{
	struct str rest = str_c(line), w;

	if (*line == '#')
		return;
	while (str_word(&rest, " \t\n=[]", &w)) {
		const char *dir = w.p[0] == '/' ? dirname(arena_cdup(p->mem, w)) : "/";

		if (strcmp(dir, "/") != 0)
			add_path(p, dir);
	}
}

static void add_services(struct paths *p)
{
	DIR *d = opendir("/etc/pam.d");
	struct dirent *e;
	char line[LINE_MAX_OCTETS];

	while (d && (e = readdir(d)) != NULL) {
		FILE *f = e->d_name[0] == '.' ? NULL : fopen(arena_printf(p->mem, "/etc/pam.d/%s", e->d_name), "re");

		while (f && fgets(line, sizeof line, f))
			add_from_line(p, line);
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
}

static const char *enter_jail(const struct child *c)
{
	static const char *const system[] = { "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
		"/opt", "/var/lib", "/var/cache", "/run", "/proc", "/dev", "/home", "/root", "/tmp", "/var/tmp" };
	static const char *const writable[] = { "/run/faillock", "/run/utmp", "/var/log/lastlog", "/var/log/wtmp",
		"/var/log/btmp", "/var/log/faillog", "/var/log/tallylog", "/home", "/tmp", "/var/tmp", "/dev/null",
		"/dev/tty", NULL };
	struct paths p = { .mem = arena_new(0) };
	const char *jail;

	for (size_t i = 0; i < sizeof system / sizeof *system; i++)
		add_path(&p, system[i]);
	add_services(&p);
	if (c->root)
		mkdir("/run/faillock", 0755); /* pam_faillock would make it, and may not below /run */
	else
		log_warn("PAM is asked without root: a module that needs it, or a set-uid helper (pam_unix), fails");
	jail = jail_enter(&(struct jail){ .role = JAIL_AUTHPAM,
		.root = c->root,
		.uid = c->uid,
		.gid = c->gid,
		.runnable = p.list,
		.writable = writable });
	arena_free(&p.mem);
	return jail;
}

int main(void)
{
	struct authpam *a = &the_authpam;

	a->child =
		(struct child){ .role = ROLE_AUTHPAM, .on_peer = on_peer, .on_stop = on_stop, .on_status = on_status };
	child_begin(&a->child);
	asks_init(&a->asks, a->child.loop);
	child_ready(&a->child, enter_jail(&a->child));
	return child_run(&a->child);
}
