/*
 * check_userdb.c - tables of the type userdb: does an authentication service listen where mapd looks for it? While none does,
 * mail for these recipients is put off.
 */
#include "ctl/check.h"
#include "ctl/socket.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* As mapd: with the account of map_owner, and the group of mail_owner. */
static int connect_as_mapd(const struct conf_view *v, const char *path)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam(conf_str(v, "map_owner")) : NULL;
	const struct passwd *mail = user ? getpwnam(conf_str(v, "mail_owner")) : NULL;
	gid_t gid = mail ? mail->pw_gid : 0;

	if (chdir(conf_str(v, "queue_directory")) != 0)
		return errno;
	if (mail && (setgroups(1, &gid) != 0 || setgid(gid) != 0 || setuid(user->pw_uid) != 0))
		return errno;
	return ctl_connect(path, SOCK_NONBLOCK) < 0 ? errno : 0;
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

static struct str below_queue(const struct conf_view *v, struct str path)
{
	struct str queue = str_c(conf_str(v, "queue_directory"));

	if (str_has_prefix(path, queue) && path.n > queue.n && path.p[queue.n] == '/')
		path = str_from(path, queue.n + 1);
	return path;
}

static bool is_listened_at(const struct checked *c, const struct auth_offers *own, struct str path)
{
	for (size_t i = 0; i < own->n_userdb; i++)
		if (str_eq(below_queue(c->main, own->userdb[i]), below_queue(c->main, path)))
			return true;
	return false;
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

	if (own && !is_listened_at(c, own, path)) {
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
