/*
 * edit.h - changing main.cf in place: comments, order and all that is not asked for stay as they are.
 */
#ifndef CONF_EDIT_H
#define CONF_EDIT_H

#include "base/buf.h"

enum edit_kind {
	EDIT_SET,    /* name = value, where the name stands first now, or at the end */
	EDIT_REMOVE, /* all lines of the name */
	EDIT_COMMENT /* the same lines behind "#" */
};

struct edit {
	struct str name, value; /* value: EDIT_SET only */
	unsigned found;		/* how often the name was there (set by edit_main_cf) */
};

/*
 * The text of main.cf with the edits done, all of one kind; of two for one name the last counts. As postconf of
 * Postfix does it, every line of a name that is set more than once gets the new value. 0, or -1 when `out` is full.
 */
int edit_main_cf(struct str text, enum edit_kind kind, struct edit *edits, size_t n, struct buf *out);

/*
 * Put text in the place of the file: a new file beside it with the same owner and mode, flushed, renamed over it, and
 * the directory flushed; at no time is there half a file. A symbolic link is followed. 0, or -1 (errno) and the file
 * is as it was.
 */
int edit_replace_file(const char *path, struct str text);
/* The text of a file. 0, or -1 (errno). */
int edit_read_file(const char *path, struct buf *out);

#endif
