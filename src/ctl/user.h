/*
 * user.h - the users of an instance, for the command `gatepost`: its table in SQLite, and a question to its
 * authentication service.
 */
#ifndef CTL_USER_H
#define CTL_USER_H

#include "conf/conf.h"

/*
 * `gatepost user …`: argv[0] is "add", "del", "passwd" or "list". A password is one line of standard input. The
 * database is the one that "connect" names for the first passdb of auth_conf_file; it and its table are made when they
 * are missing. Returns the exit code: 0; 1 it failed (said on stderr); 2 wrong usage.
 */
int ctl_user(const struct conf *conf, int argc, char **argv);
/*
 * `gatepost auth …`: argv[0] is "test", then options and the user; the password is one line of standard input. Asks
 * smtpd_sasl_path, and shows each step. Returns 0: right; 1: wrong; 2: temporary failure, service away; 64 wrong usage.
 */
int ctl_auth(const struct conf *conf, int argc, char **argv);
/* One line of standard input to *pass (a secret), without echo when a person types it. 0, or -1 (said on stderr). */
int ctl_read_password(struct buf *pass);
/* Its word "unblock": asks authd. Returns 0; 1: it failed (said), or nothing was to be lifted; 64 wrong usage. */
int ctl_auth_unblock(const struct conf *conf, int argc, char **argv);
/*
 * `gatepost pw`, with the options of `doveadm pw` (-l -s -r -u -p -V -t); argv[0] is "pw". Returns 0; 75: the password does not
 * match; 1, 2: it failed, wrong usage (said on stderr).
 */
int ctl_pw(int argc, char **argv);
/*
 * Write auth.conf and auth-sql.conf.ext for a new instance into etc_dir. The database is data_dir/users.db. user and
 * group of the sockets: those of mail_owner; NULL when not root. Returns 0, or -1 (said on stderr).
 */
int ctl_write_auth_conf(
	const char *etc_dir, const char *data_dir, const char *spool_dir, const char *user, const char *group);
/* Make the database with its table, empty, if it is missing; give it to auth_owner when root. 0, or -1 (said). */
int ctl_create_users_db(const struct conf *conf);

#endif
