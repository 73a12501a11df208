/*
 * dovecot_impl.h - between dovecot.c (files and the tree), dovecot_lines.c (statements and sections), dovecot_list.c
 * (sections that are lists) and dovecot_value.c (what a value stands for).
 */
#ifndef CONF_DOVECOT_IMPL_H
#define CONF_DOVECOT_IMPL_H

#include "conf/dovecot.h"

enum {
	DOVECOT_FILE_MAX = 4 * 1024 * 1024, /* octets of one file */
	DOVECOT_VALUE_MAX = 65536,	    /* of one value, and of one line */
	DOVECOT_DEPTH_MAX = 16
};

struct dovecot_reader {
	struct dovecot_conf *conf;
	struct buf *errors;
	bool flat;
	unsigned depth, nodes; /* of includes; nodes so far */
	const char *file;
	unsigned line;
	struct dovecot_node **stack[DOVECOT_DEPTH_MAX]; /* where the next node of each open section goes */
	struct dovecot_node *open[DOVECOT_DEPTH_MAX];
	unsigned level;
};

/* Append "FILE, line N: …" to the errors, if anybody wants them. */
void dovecot_complain(struct dovecot_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* … and to the warnings. */
void dovecot_warn(struct dovecot_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The path as seen from the file that is being read; lives as long as the tree. */
const char *dovecot_beside(struct dovecot_reader *r, struct str path);
/* Append a file to *out. Returns 0, or an errno: EFBIG when it is larger than *out may be, EINVAL when it is no plain file. */
int dovecot_read_file(const char *path, struct buf *out);

/* Read statements, sections and includes into the tree. `text` has to live as long as the tree. */
void dovecot_parse_lines(struct dovecot_reader *r, struct str text);
/*
 * A section that was just closed, the last of `siblings`: where it is one of 2.4's ways to write settings ("auth_mechanisms {
 * plain = yes }", "auth_policy { server_url = … }") it becomes these. Returns the last node that it is now.
 */
struct dovecot_node *dovecot_fold(
	struct dovecot_reader *r, const struct dovecot_node *siblings, struct dovecot_node *n);
/* What stands behind "=": without quotes, with $keys and files put in. Lives as long as the tree, or as `v`. */
struct str dovecot_resolve(struct dovecot_reader *r, struct str v);

#endif
