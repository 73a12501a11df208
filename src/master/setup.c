#include "master/master.h"
#include "base/log.h"
#include "child/directories.h"
#include "conf/dovecot.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* Whose account each role takes. */
static const struct {
	enum role role;
	const char *parameter;
} accounts[] = { { ROLE_SMTPD, "mail_owner" }, { ROLE_AUTHD, "auth_owner" }, { ROLE_MAPD, "map_owner" },
	{ ROLE_QUEUED, "queue_owner" }, { ROLE_RELAY, "relay_owner" }, { ROLE_FETCHD, "relay_owner" },
	{ ROLE_KEYD, "key_owner" } };

static const struct {
	const char *name;
	int facility;
} facilities[] = { { "mail", LOG_MAIL }, { "daemon", LOG_DAEMON }, { "user", LOG_USER }, { "local0", LOG_LOCAL0 },
	{ "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 },
	{ "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 } };

static int text_to_memfd(const char *dir, const char *name, struct buf *errors)
{
	char path[4096], chunk[8192];
	int in, out;
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	in = open(path, O_RDONLY | O_CLOEXEC);
	out = memfd_create(name, MFD_CLOEXEC);
	if (in < 0 || out < 0) {
		buf_addf(errors, "%s: %s\n", path, strerror(errno));
		if (in >= 0)
			close(in);
		if (out >= 0)
			close(out);
		return -1;
	}
	while ((n = read(in, chunk, sizeof chunk)) > 0)
		if (write(out, chunk, (size_t)n) != n) {
			buf_addf(errors, "%s: cannot keep a copy: %s\n", path, strerror(errno));
			break;
		}
	close(in);
	return out;
}

static void find_accounts(struct setup *s, struct buf *errors)
{
	for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++) {
		const char *name = conf_str(s->main, accounts[i].parameter);
		const struct passwd *pw = getpwnam(name);

		if (pw == NULL) {
			buf_addf(errors,
				"%s = %s: there is no such account; make it with `useradd --system --home-dir "
				"/nonexistent "
				"--shell /usr/sbin/nologin %s`, or name one that exists\n",
				accounts[i].parameter, name, name);
			continue;
		}
		if (pw->pw_uid == 0)
			buf_addf(errors, "%s = %s: this account is root; name one without privileges\n",
				accounts[i].parameter, name);
		s->uid[accounts[i].role] = pw->pw_uid;
		s->gid[accounts[i].role] = pw->pw_gid;
	}
}

/* All roles take the group of mail_owner: the sockets below private/ are shared by it. */
static void share_group(struct setup *s)
{
	for (int r = 0; r < ROLE_COUNT; r++)
		s->gid[r] = s->gid[ROLE_SMTPD];
	s->uid[ROLE_DELIVER] = 0;
	s->uid[ROLE_AUTHPAM] = 0;
	s->uid[ROLE_MASTER] = 0;
	s->gid[ROLE_MASTER] = 0;
}

static unsigned processes(const struct conf_view *v, const char *name)
{
	int64_t n = conf_int(v, name);

	if (n <= 0)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

/* Has it a passdb that asks PAM? What is wrong in it authd says. */
static bool asks_pam(const char *file)
{
	bool found = false;
#ifdef HAVE_PAM
	struct dovecot_conf *c = dovecot_load(file, NULL);
	const struct dovecot_node *n = c->first;

	for (; (n = dovecot_section(n, "passdb")) != NULL; n = n->next) {
		const char *driver = dovecot_value(n->child, "passdb_driver", n->name);

		found |= strcmp(dovecot_value(n->child, "driver", driver), "pam") == 0;
	}
	dovecot_free(&c);
#else
	(void)file;
#endif
	return found;
}

static void find_services(struct setup *s)
{
	const struct conf_service *service;
	size_t n = conf_services(s->conf, &service);
	struct stat st;

	for (size_t i = 0; i < n; i++)
		if (strcmp(service[i].type, "inet") == 0 && strcmp(service[i].command, "smtpd") == 0)
			s->has_smtpd = true;
	s->has_authd = stat(conf_str(s->main, "auth_conf_file"), &st) == 0;
	s->has_authpam = s->has_authd && asks_pam(conf_str(s->main, "auth_conf_file"));
	s->n_smtpd = s->has_smtpd ? processes(s->main, "smtpd_processes") : 0;
	s->n_relay = processes(s->main, "relay_processes");
}

static void open_log_target(struct setup *s, struct buf *errors)
{
	const char *file = conf_str(s->main, "maillog_file"), *name = conf_str(s->main, "syslog_facility");

	s->log_fd = -1;
	s->log_to = LOG_TO_SYSLOG;
	s->facility = LOG_MAIL;
	for (size_t i = 0; i < sizeof facilities / sizeof *facilities; i++)
		if (strcmp(name, facilities[i].name) == 0)
			s->facility = facilities[i].facility;
	if (file[0] == '\0')
		return;
	if (strcmp(file, "/dev/stdout") == 0 || strcmp(file, "/dev/stderr") == 0) {
		s->log_to = LOG_TO_FD;
		s->log_fd = dup(strcmp(file, "/dev/stdout") == 0 ? 1 : 2);
		return;
	}
	s->log_fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (s->log_fd < 0)
		buf_addf(errors, "maillog_file = %s: %s\n", file, strerror(errno));
	s->log_to = LOG_TO_FD;
}

int setup_load(struct setup *s, const char *config_directory, bool root, struct buf *errors)
{
	size_t before = errors->n;

	memset(s, 0, sizeof *s);
	s->main_cf_fd = s->master_cf_fd = s->log_fd = -1;
	s->conf = conf_load(config_directory, errors, NULL);
	if (s->conf == NULL)
		return -1;
	s->main = conf_main(s->conf);
	s->main_cf_fd = text_to_memfd(config_directory, "main.cf", errors);
	s->master_cf_fd = text_to_memfd(config_directory, "master.cf", errors);
	if (root) {
		find_accounts(s, errors);
		share_group(s);
	}
	find_services(s);
	open_log_target(s, errors);
	if (!s->has_smtpd && !s->has_authd)
		buf_addf(errors, "nothing to do: master.cf has no service with the command smtpd, and there is no %s\n",
			conf_str(s->main, "auth_conf_file"));
	if (errors->n == before)
		return 0;
	setup_free(s);
	return -1;
}

void setup_free(struct setup *s)
{
	if (s->main_cf_fd >= 0)
		close(s->main_cf_fd);
	if (s->master_cf_fd >= 0)
		close(s->master_cf_fd);
	if (s->log_fd >= 0)
		close(s->log_fd);
	s->main_cf_fd = s->master_cf_fd = s->log_fd = -1;
	listeners_close(&s->listeners);
	conf_free(&s->conf);
}

static int make_directory(const char *path, uid_t uid, gid_t gid, mode_t mode, bool root, struct buf *errors)
{
	if (mkdir(path, mode) != 0 && errno != EEXIST) {
		buf_addf(errors, "cannot make the directory %s: %s\n", path, strerror(errno));
		return -1;
	}
	if (root && (chown(path, uid, gid) != 0 || chmod(path, mode) != 0)) {
		buf_addf(errors, "cannot set the owner of %s: %s\n", path, strerror(errno));
		return -1;
	}
	return 0;
}

int setup_directories(const struct setup *s, bool root, struct buf *errors)
{
	const char *queue = conf_str(s->main, "queue_directory");
	char path[4096];

	if (make_directory(queue, 0, s->gid[ROLE_SMTPD], 0755, root, errors) != 0)
		return -1;
	for (const struct directory *d = child_directories; d->name; d++) {
		snprintf(path, sizeof path, "%s/%s", queue, d->name);
		if (make_directory(path, s->uid[d->owner], s->gid[d->owner], d->mode, root, errors) != 0)
			return -1;
	}
	return 0;
}
