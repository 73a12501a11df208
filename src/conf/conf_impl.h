/*
 * conf_impl.h - inside of the configuration library. Not for its users, but for postconf, which shows what the files
 * say before they are checked.
 */
#ifndef CONF_CONF_IMPL_H
#define CONF_CONF_IMPL_H

#include "conf/conf.h"
#include "conf/dict.h"
#include "conf/params.h"

struct conf_view {
	struct conf *conf;
	struct dict *own;	  /* -o of a service; empty for main.cf */
	struct dict *cache;	  /* expanded values */
	const char *service_name; /* NULL for main.cf */
	const char *process_name;
};

/* A row of master.cf as written. */
struct master_row {
	struct str col[8];
	struct str *args; /* options and arguments; a word of braces without them */
	size_t n_args;
	unsigned line;
};
enum master_col { COL_NAME, COL_TYPE, COL_PRIVATE, COL_UNPRIV, COL_CHROOT, COL_WAKEUP, COL_MAXPROC, COL_COMMAND };

struct conf {
	struct arena *mem;
	const char *dir;
	struct dict main;     /* main.cf: raw values */
	struct dict computed; /* defaults that come from the machine */
	struct conf_view main_view;
	struct master_row *rows;
	struct conf_service *services; /* of the same order as rows */
	size_t n_rows, cap_rows;
	bool has_master;
	struct buf *errors, *warnings; /* may be NULL; only while reading */
	bool failed;
};

/* "FILE, line N: text\n" to the errors (and the conf has failed) or the warnings. line 0: "FILE: text". */
void conf_error(struct conf *c, const char *file, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void conf_warning(struct conf *c, const char *file, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Read without checking values. `overrides` is "name=value" of postconf -o, NULL-ended, or NULL. A missing master.cf
 * is allowed (has_master is false then); a missing main.cf and lines that are no rows are errors. Never NULL; look
 * at c->failed.
 */
struct conf *conf_read(const char *dir, const char *const *overrides, struct buf *errors, struct buf *warnings);
/* Check values and names as conf_load does. */
void conf_check(struct conf *c);
/* Expand `raw`, and compare it with the type that the name has. Returns NULL, or what is wrong (in mem). */
const char *conf_wrong_value(const struct conf_view *v, struct str name, struct str raw, struct arena *mem);

/* forgive.c. Take each parameter of main.cf whose value is wrong away, so that its default counts; it is said as an error. */
void conf_forgive(struct conf *c);
/* Is it set in main.cf, and made of nothing but what is set there too (and config_directory)? */
bool conf_stands_alone(const struct conf *c, struct str name);

/* main_cf.c: logical lines of both files. */
struct logical {
	struct str rest; /* of the file */
	unsigned line;	 /* number of the physical line that was read last */
	unsigned first;	 /* number of the first line of the logical line */
};
/* The next logical line, joined (in the arena); false at the end. */
bool logical_next(struct logical *l, struct arena *mem, struct str *line);
/* Does it continue a line that is not there? */
bool logical_is_orphan(struct str line);
/* Split "name = value". Returns NULL, or what is wrong. */
const char *split_name_value(struct str line, struct str *name, struct str *value);
void main_cf_parse(struct conf *c, struct str text);

/* master_cf.c */
void master_cf_parse(struct conf *c, struct str text);
/* Split a row. Returns NULL, or what is wrong (in the arena, or static). */
const char *master_row_parse(struct arena *mem, struct str line, struct master_row *row);
/* Views and typed columns, once main.cf is known. */
void master_cf_resolve(struct conf *c);
/* The next word behind octets of `seps`, which do not end it between braces. False at the end. */
bool cut_word(struct str *rest, const char *seps, struct str *word);
/* Has this option letter a value? */
bool daemon_option_takes_value(char letter);

/* expand.c. Expand `text` in the view; 0, or -1 with the reason added to *why. */
int expand(const struct conf_view *v, struct str text, struct buf *out, struct buf *why);
/* Call seen() for each $name in the text, in whatever branch. 0, or -1: syntax. is_test: only "${name?…". */
struct name_seer {
	void (*seen)(struct name_seer *s, struct str name, bool is_test);
};
int expand_scan(struct str text, struct name_seer *s, struct buf *why);
/* The unexpanded value of a name: -o, main.cf, computed, the table. False: there is none. */
bool view_raw(const struct conf_view *v, struct str name, struct str *raw);
/* Is its value to be expanded? */
bool param_is_raw(struct str name);

/* value.c. Returns NULL when the expanded value fits the type, else what is wrong and what would be right. */
const char *value_check(const struct param *p, const char *value, struct arena *mem);
/* false: no such number. *out is in seconds. */
bool value_time(struct str s, char default_unit, int64_t *out);
bool value_int(struct str s, int64_t *out);
bool value_bool(struct str s, bool *out);
/* -1, 0, 1 for two compatibility levels "3.6"; -2: malformed. */
int level_compare(struct str a, struct str b);

/*
 * names.c: which names are in use, for the warnings of conf_load and of postconf.
 */
struct names {
	const struct conf *c;
	struct arena *mem;
	struct dict used;     /* behind a "$" somewhere in the two files, or a restriction class */
	struct dict prefixes; /* "x" of a table mysql:x, whose settings are x_hosts … in main.cf */
};
void names_collect(struct names *n, const struct conf *c, struct arena *mem);
/* Is a setting of that name in main.cf good for something? */
bool names_is_known(const struct names *n, struct str name);
/* The same for -o of this service. */
bool names_is_known_in(const struct names *n, const struct conf_service *s, struct str name);
/* Does "$name" mean something in this view? */
bool names_is_defined(const struct names *n, const struct conf_view *v, struct str name);
/*
 * Call each() with every problem of that kind, in the order of the files. `file` is main.cf or master.cf; for an
 * undefined name, value is empty.
 */
struct names_report {
	void (*each)(struct names_report *r, const char *file, unsigned line, struct str name, struct str value);
};
void names_unused(const struct names *n, struct names_report *r);
/* tests: report those too that are only asked for, as in ${name?text}. */
void names_undefined(const struct names *n, struct names_report *r, bool tests);

/* computed.c: myhostname, mydomain, mynetworks, directories, process_id. */
void conf_compute(struct conf *c);
/* The value of mynetworks for a style: host, subnet, class. */
const char *own_networks(struct arena *mem, struct str style);

#endif
