/*
 * conf.h - main.cf and master.cf, and the one table of parameters behind them.
 *
 * A struct conf is what the two files say; a struct conf_view is that with the "-o name=value" of one master.cf service
 * on top. Values are expanded when they are asked for, as Postfix does ($name, ${name?a:b} …). All strings that are
 * returned live as long as the conf. Asking for a name that is not in the table of parameters (conf/params.c) panics:
 * it is our own fault. A value was checked against its type at load time, so the typed getters cannot fail.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/arena.h"
#include "base/buf.h"

struct conf;
struct conf_view;

/*
 * Read DIR/main.cf and DIR/master.cf. Every fault is added to *errors as one line "FILE, line N: what is wrong; what
 * would be right\n" (all of them, not only the first), and every warning ("unused parameter") to *warnings; both may
 * be NULL. Returns the conf; NULL when there was an error.
 */
struct conf *conf_load(const char *dir, struct buf *errors, struct buf *warnings);
/*
 * DIR/main.cf alone, for a program that asks an instance, which runs with the configuration of before: master.cf is not
 * read, and a fault of main.cf, which is one line in *faults (may be NULL), is passed over: that parameter has its default.
 * Only queue_directory, which says what instance that is, never has it because of a fault: where there is any, it must be set
 * in main.cf, without one and by nothing that has one. NULL when it is not, or main.cf cannot be read at all; *errors (may be
 * NULL) says why, a line each. There are no services in it.
 */
struct conf *conf_load_main(const char *dir, struct buf *errors, struct buf *faults);
/* The same as conf_load() from text that was read before (a process that may not open files). `dir` is config_directory. */
struct conf *conf_parse(
	const char *dir, struct str main_cf, struct str master_cf, struct buf *errors, struct buf *warnings);
/* With its views, rows and values. */
void conf_free(struct conf **c);
/* config_directory */
const char *conf_dir(const struct conf *c);

/* main.cf alone. Belongs to the conf. */
const struct conf_view *conf_main(const struct conf *c);

/* One row of master.cf. */
struct conf_service {
	const char *name; /* first column: "smtp", "2525", "127.0.0.1:2587", "[::1]:25", "private-name" */
	const char *type; /* inet, unix, fifo, pass, unix-dgram */
	bool is_private, unpriv, chroot; /* with "-" resolved */
	const char *wakeup;		 /* as written */
	int maxproc;			 /* "-" resolved to default_process_limit; 0: no limit */
	const char *command;		 /* first word: "smtpd", "smtp", "lmtp", "virtual", "pipe" … */
	const char *const *argv;	 /* all words after it that are no option -o; NULL-ended */
	const struct conf_view *view;	 /* its parameters: main.cf with its -o on top */
	unsigned line;
};
/* The rows of master.cf in their order: the first into *first, which lives as long as c; returns their number. */
size_t conf_services(const struct conf *c, const struct conf_service **first);
/* The service of that name and type ("unix", "inet"), or NULL. */
const struct conf_service *conf_service_find(const struct conf *c, struct str name, const char *type);
/* What runs for a transport: the command of its row of type "unix", or where there is none the transport's own name. */
struct str conf_transport_command(const struct conf *c, struct str transport);

/* Expanded value; never NULL (an unset parameter without default is ""). */
const char *conf_str(const struct conf_view *v, const char *name);
/* These panic when the table has no such parameter of that type. */
bool conf_bool(const struct conf_view *v, const char *name);
int64_t conf_int(const struct conf_view *v, const char *name);
/* Time parameter, in seconds. */
int64_t conf_seconds(const struct conf_view *v, const char *name);
/* Was it set by the files (also to the default's value)? */
bool conf_is_set(const struct conf_view *v, const char *name);
/* Value of any name, of the table or user-defined; NULL if there is none. Expanded. */
const char *conf_lookup(const struct conf_view *v, const char *name);

/*
 * The words of a list parameter: separated by comma or blank; "{ a b }" is one word (without the braces, trimmed).
 * *words is an array in the arena; returns their number.
 */
size_t conf_list(const struct conf_view *v, const char *name, struct arena *mem, struct str **words);
/* The same for a text that is no parameter's. */
size_t conf_words(struct str text, struct arena *mem, struct str **words);

#endif
