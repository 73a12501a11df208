/* settings_impl.h - between the files that read auth.conf: settings.c, listeners.c. */
#ifndef AUTHD_SETTINGS_IMPL_H
#define AUTHD_SETTINGS_IMPL_H

#include "authd/settings.h"
#include "conf/dovecot.h"

enum { SETTINGS_ASKED_MAX = 128 };

struct loader {
	struct settings *set;
	struct dovecot_conf *conf; /* auth.conf */
	struct buf *errors, *warnings;
	const char *asked[SETTINGS_ASKED_MAX]; /* names of settings that are read, there or not */
	size_t n_asked;
};

/* One line to l->errors, with the file and line of the node. */
void settings_complain(struct loader *l, const struct dovecot_node *n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * A setting outside of all blocks: as dovecot_get(), dovecot_value(); yes or no to *out. Whatever begins with auth_ or gatepost_ is
 * asked for here, set or not, with a key that lives on: of other names of the kind it is said that they are not known.
 */
const struct dovecot_node *settings_get(struct loader *l, const char *key);
const char *settings_value(struct loader *l, const char *key, const char *otherwise);
void settings_bool(struct loader *l, const char *key, bool *out);
/* A copy that lives as long as the settings. */
const char *settings_keep(struct loader *l, const char *s);
/* What was said in reading it, once. */
void settings_add_warnings(struct loader *l, const struct dovecot_conf *c);
/*
 * The file that "args = FILE" names, relative to the one that says so: lines "key = value". *file is its path, which lives as long
 * as the settings. As dovecot_load_flat(), with its errors and warnings; the caller frees it.
 */
struct dovecot_conf *settings_load_args(struct loader *l, const struct dovecot_node *args, const char **file);

/*
 * What a "driver = sql" block names: with args =, a dovecot-sql.conf.ext of 2.3, else what stands in the block and around
 * it (2.4).
 */
void load_sql(struct loader *l, const struct dovecot_node *block, struct sql_settings *sql, bool is_passdb);
/* … and the credentials_query and the like that stand in the block itself, after that. */
void load_credentials(struct loader *l, const struct dovecot_node *block, struct db *db);
/* What a "driver = ldap" block names, in the same way. */
void load_ldap(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db);
/* What a "driver = pam" block says. */
void load_pam(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db);
/* All passdb and userdb blocks. */
void load_dbs(struct loader *l);
/* *scheme is `name`, which stands at that node, and is looked at. */
void load_scheme(struct loader *l, const struct dovecot_node *at, const char *name, const char **scheme);

/* After all that reads: a warning for each name that is not known, and for each database in a section that is not looked into. */
void settings_warn_vain(struct loader *l);
/* auth_verbose … */
void load_log(struct loader *l);
/* auth_penalty…; auth_failure_delay was read. */
void load_defence(struct loader *l);
/* All listeners of all "service auth" blocks. */
void load_listeners(struct loader *l);

#endif
