/* The configuration of authd that `gatepost init` writes. */
#include "ctl/user.h"
#include "ctl/user_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int write_file(const char *dir, const char *name, struct str text)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	/* The SQL file may come to hold a password of a database. */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, strstr(name, "sql") ? 0640 : 0644);
	if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n || fsync(fd) != 0 || close(fd) != 0) {
		fprintf(stderr, "gatepost: cannot write %s: %s\n", path, strerror(errno));
		return -1;
	}
	return 0;
}

static void add_listener(struct buf *out, const char *path, const char *user, const char *group)
{
	buf_addf(out, "  unix_listener %s {\n    mode = 0660\n", path);
	if (user)
		buf_addf(out, "    user = %s\n", user);
	if (group)
		buf_addf(out, "    group = %s\n", group);
	buf_add_c(out, "  }\n");
}

static void main_file(struct buf *out, const char *etc_dir, const char *spool_dir, const char *user, const char *group)
{
	buf_add_c(out,
		"# The authentication service, in Dovecot's syntax; see auth.conf(5).\n"
		"# Sections and settings that concern other services are skipped, so that parts of a\n"
		"# dovecot.conf may stand here as they are.\n\n"
		"auth_mechanisms = plain login\n\n"
		"# The time after which a failed login is answered.\n"
		"auth_failure_delay = 2 secs\n\n"
		"# Keep rows of the database for a while (0: ask it at each login, which is cheap with SQLite).\n"
		"auth_cache_size = 0\n\n"
		"# Log successful logins too.\n"
		"auth_verbose = no\n\n");
	buf_addf(out, "passdb {\n  driver = sql\n  args = %s/auth-sql.conf.ext\n}\n", etc_dir);
	buf_addf(out, "userdb {\n  driver = sql\n  args = %s/auth-sql.conf.ext\n}\n\n", etc_dir);
	buf_addf(out,
		"service auth {\n"
		"  # Paths are relative to queue_directory, %s.\n"
		"  # smtpd_sasl_path = private/auth:\n",
		spool_dir);
	add_listener(out, "private/auth", user, group);
	buf_add_c(out, "  # For lookups of users, without passwords, by mapd (map_owner):\n");
	add_listener(out, "private/auth-userdb", user ? "gatepost-map" : NULL, group);
	buf_add_c(out, "}\n");
}

static void sql_file(struct buf *out, const char *data_dir)
{
	buf_addf(out,
		"# Where the users are, in the syntax of Dovecot's dovecot-sql.conf.ext; see auth.conf(5).\n"
		"# Values such as %%u are bound to the query, never pasted into it.\n\n"
		"driver = sqlite\n"
		"connect = %s/users.db\n\n"
		"# The scheme of passwords without a {SCHEME} in front: CRYPT is $6$, $5$, $2y$, $argon2id$ and all "
		"others of\n"
		"# crypt(3). `gatepost user` names the scheme of those that it makes: gatepost_new_password_scheme in "
		"auth.conf.\n"
		"default_pass_scheme = CRYPT\n\n",
		data_dir);
	buf_add_c(out,
		"password_query = SELECT email AS user, password FROM users WHERE email = '%u'\n"
		"user_query = SELECT u.email AS user, name, created FROM users u \\\n"
		"  LEFT JOIN users_since s ON s.email = u.email WHERE u.email = '%u'\n"
		"iterate_query = SELECT email AS user FROM users\n\n"
		"# More than one password: SCRAM keys beside the hash, and `gatepost user app-password`. Dovecot does "
		"not "
		"know\n# these words: if it is to read this file too, move them into the passdb block of auth.conf.\n");
	user_db_auth_lines(out);
}

int ctl_write_auth_conf(
	const char *etc_dir, const char *data_dir, const char *spool_dir, const char *user, const char *group)
{
	struct buf text = BUF_INIT(65536);
	int r;

	main_file(&text, etc_dir, spool_dir, user, group);
	r = write_file(etc_dir, "auth.conf", buf_str(&text));
	buf_reset(&text);
	sql_file(&text, data_dir);
	if (r == 0)
		r = write_file(etc_dir, "auth-sql.conf.ext", buf_str(&text));
	buf_free(&text);
	return r;
}
