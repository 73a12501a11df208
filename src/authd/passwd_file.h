/*
 * passwd_file.h - Dovecot's passwd-file: lines "user:password:uid:gid:(gecos):home:(shell):extra fields", "#" begins a
 * comment. Files are read when they are first wanted, and again when they have changed; one that cannot be read again is
 * used as it was.
 */
#ifndef AUTHD_PASSWD_FILE_H
#define AUTHD_PASSWD_FILE_H

#include "authd/template.h"

struct passwd_files; /* those that were read */

struct passwd_files *passwd_files_new(void);
/*
 * The line of `user` as a row in the arena: for a passdb password and the extra fields, for a userdb uid, gid, home and
 * the extra fields that begin with userdb_; variables in those are expanded. NULL: nobody by that name. Returns 0, or -1 with
 * *why (the file cannot be read, a variable is not understood; in the arena).
 */
int passwd_file_find(struct passwd_files *files, const char *path, struct str user, bool is_passdb,
	const struct vars *v, uint64_t now_ms, struct arena *mem, struct sql_row **row, const char **why);
/* All users, as rows with the field "user". Returns as above. */
int passwd_file_list(struct passwd_files *files, const char *path, uint64_t now_ms, struct arena *mem,
	struct sql_row **rows, const char **why);

/* One line, without its end, as passwd_file_find() gives it; pure. NULL: a comment, or no user; or with *why (else NULL). */
struct sql_row *passwd_file_row(
	struct str line, bool is_passdb, const struct vars *v, struct arena *mem, const char **why);

#endif
