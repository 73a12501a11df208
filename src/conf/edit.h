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
 * Putting a new text in the place of a file. The new file, PATH.tmp, is also the lock: who edits the same file at the
 * same time waits for it, so that no edit is lost. A symbolic link is followed.
 */
struct edit_file {
	char *path, *temporary; /* NULL: not begun */
	int fd;
};
/* Wait for the others, then hold the lock. 0, or -1 (errno). Read the old text after it, not before. */
int edit_begin(const char *path, struct edit_file *f);
/*
 * Write the text, with the owner and mode of the old file, flush it, rename it over the old one, and flush the
 * directory; at no time is there half a file. 0, or -1 (errno) and the file is as it was. Ends the edit.
 */
int edit_commit(struct edit_file *f, struct str text);
/* End it without a change. Nothing happens when it was not begun, or has ended. */
void edit_cancel(struct edit_file *f);
/* All three in one. 0, or -1 (errno). */
int edit_replace_file(const char *path, struct str text);
/* The text of a file. 0, or -1 (errno). */
int edit_read_file(const char *path, struct buf *out);

#endif
