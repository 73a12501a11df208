/*
 * check_userdb.c - tables of the type userdb: does an authentication service listen where mapd looks for it? While none does,
 * mail for these recipients is put off.
 */
#include "ctl/below_queue.h"
#include "ctl/check.h"
#include "ctl/socket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child. 0, or errno. */
static int connect_as_mapd(const struct conf_view *v, const char *path)
{
	if (below_queue_enter(v, "map_owner") != 0)
		return errno;
	if (ctl_connect(path, SOCK_NONBLOCK) >= 0 || errno == EAGAIN) /* somebody listens, and many wait for him */
		return 0;
	return errno;
}

static int ask_in_a_child(const struct conf_view *v, const char *path)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(connect_as_mapd(v, path));
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static void say_how(const struct checked *c, struct str path)
{
	bool is_below = path.n && path.p[0] != '/';

	buf_addf(c->warnings, "\"unix_listener %s%s%.*s\" with mode = 0660, user = %s and group = %s in service auth",
		is_below ? conf_str(c->main, "queue_directory") : "", is_below ? "/" : "", STR_ARG(path),
		conf_str(c->main, "mail_owner"), conf_str(c->main, "mail_owner"));
}

static void check_socket(
	const struct checked *c, const struct auth_offers *own, bool asks, const char *parameter, struct str path)
{
	int error;

	if (own && !below_queue_is_in(c->main, path, own->userdb, own->n_userdb)) {
		buf_addf(c->warnings,
			"%s: %s: authd does not listen at userdb:%.*s, so this mail is put off (451); add ", c->where,
			parameter, STR_ARG(path));
		say_how(c, path);
		buf_addf(c->warnings, " to %s\n", conf_str(c->main, "auth_conf_file"));
		return;
	}
	error = asks ? ask_in_a_child(c->main, arena_cdup(c->mem, path)) : 0;
	if (error == 0)
		return;
	buf_addf(c->warnings,
		"%s: %s: mapd cannot connect to userdb:%.*s: %s; mail for these recipients is put off (451). Let "
		"Dovecot "
		"listen "
		"there: ",
		c->where, parameter, STR_ARG(path), strerror(error));
	say_how(c, path);
	buf_addf(c->warnings, "; or name other tables\n");
}

void check_userdb(const struct checked *c, const struct auth_offers *own, bool asks)
{
	static const char *const parameters[] = { "virtual_mailbox_maps", "local_recipient_maps",
		"relay_recipient_maps", "virtual_alias_maps", "alias_maps", "smtpd_sender_login_maps",
		"smtpd_vrfy_name_maps", "smtpd_rrvs_maps" };
	struct str seen = STR("");

	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
		struct str *words;
		size_t n = conf_list(c->view, parameters[i], c->mem, &words);

		for (size_t k = 0; k < n; k++) {
			struct str rest = words[k], path;

			if (str_has_prefix(rest, STR("proxy:")))
				rest = str_from(rest, 6);
			if (!str_has_prefix(rest, STR("userdb:")))
				continue;
			rest = str_from(rest, 7);
			str_field(&rest, "?", &path);
			if (path.n == 0 || str_eq(path, seen))
				continue;
			check_socket(c, own, asks, parameters[i], path);
			seen = path;
		}
	}
}
