/*
 * postconf.h - the parts of postconf(1). Output and messages are those of Postfix's program, which scripts read.
 */
#ifndef CTL_POSTCONF_H
#define CTL_POSTCONF_H

#include "conf/conf_impl.h"
#include "conf/edit.h"

enum { POSTCONF_LINE = 80 }; /* columns, with -f */

enum postconf_class { CLASS_BUILTIN = 1, CLASS_SERVICE = 2, CLASS_USER = 4, CLASS_ALL = 7 };

struct postconf {
	bool main, rows, fields, settings; /* -p -M -F -P */
	bool defaults, only_set, expand;   /* -d -n -x */
	bool hide_name, hide_value, fold;  /* -h -H -f */
	bool set, remove, comment;	   /* -e -X -# */
	bool quiet;			   /* -q */
	unsigned classes;		   /* -C: enum postconf_class */
	const char *dir;		   /* -c, MAIL_CONFIG */
	bool dir_given;
	const char **overrides; /* -o, NULL-ended */
	size_t n_overrides;
	struct arena *mem;
	struct conf *conf;
	struct names names;
};

/* The file that is being edited, if one is: dying gives it up. */
extern struct edit_file postconf_edit;

/* "postconf: warning: …" and "postconf: fatal: …" with exit status 1. */
void postconf_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void postconf_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* postconf_main.c */
void postconf_load(struct postconf *p);
void postconf_show_main(struct postconf *p, char **names);
void postconf_warn_unused(struct postconf *p, const char *only_file);
void postconf_edit_main(struct postconf *p, char **args);
/* Words with one blank between them, folded with -f. */
void postconf_print_line(const struct postconf *p, struct str text);
/* The value with -x, else as it is; raw parameters always as they are. */
struct str postconf_value(struct postconf *p, const struct conf_view *v, struct str name, struct str value);

/* postconf_master.c */
struct postconf_pattern {
	struct str part[3]; /* service, type, field or parameter; empty: any */
	const char *text;
	unsigned matched;
};
/* Split "service[/type[/rest]]". Returns the number of parts, 0: not that form. */
int postconf_pattern(const char *text, struct postconf_pattern *out);
bool postconf_matches(const struct postconf_pattern *pattern, struct str service, struct str type);
void postconf_show_rows(struct postconf *p, char **patterns);
void postconf_show_fields(struct postconf *p, char **patterns);
void postconf_show_settings(struct postconf *p, char **patterns);
/* A row as it is shown: `fold` as in files that postconf writes. */
void postconf_format_row(struct postconf *p, const struct master_row *r, bool fold, struct buf *out);
/* Number of a column by its name; -1: any ("*"). Dies for other names. */
int postconf_field(struct str name);

/* postconf_edit.c */
void postconf_edit_master(struct postconf *p, char **args);

/* postconf_manual.c: the parameters as roff, for man/postconf.5. */
void postconf_manual(void);
/* The table of SMTP extensions as roff, for man/esmtp.5. */
void postconf_manual_esmtp(void);

#endif
