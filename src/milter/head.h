/*
 * head.h - the header of a message as milters see and change it. The text is in wire form: fields of lines that end in
 * CRLF, without the empty line behind them.
 *
 * As in Postfix and Sendmail: filters do not see the field that we put on top ("own", our Received), and what they say of
 * "the first Subject" or "the second Received" counts what they see; but the place of a field that is inserted counts all.
 */
#ifndef MILTER_HEAD_H
#define MILTER_HEAD_H

#include "base/arena.h"
#include "base/buf.h"

struct milter_field {
	struct str text;  /* all its lines */
	struct str name;  /* without blanks behind it and the colon; n == 0: a line that is no field */
	struct str value; /* behind the colon, as it stands, with the final CRLF */
};
/* Cut the next field off *rest. False: none is left. */
bool milter_head_next(struct str *rest, struct milter_field *f);
/* The value for a filter: line ends as LF, without the last; without the blank behind the colon unless keep_space. */
void milter_head_value(const struct milter_field *f, bool keep_space, struct buf *out);

enum milter_edit_kind { EDIT_ADD, EDIT_INSERT, EDIT_CHANGE };
struct milter_edit {
	struct milter_edit *next;
	enum milter_edit_kind kind;
	uint32_t index;	  /* EDIT_INSERT: 0 is the first place; EDIT_CHANGE: 1 is the first of that name, and so is 0 */
	struct str name;  /* of a field: milter_field_name_is_good() */
	struct str value; /* "" with EDIT_CHANGE: delete it */
	bool keep_space;  /* the value begins right behind the colon */
};
/* A name that a filter may give a field (RFC 5322 sec. 3.6.8), and that needs no dot-stuffing. */
bool milter_field_name_is_good(struct str name);
/*
 * A field of these, as lines that end in CRLF: a filter's line ends (LF, CR LF) begin a line that is folded, other
 * control characters become blanks. What is over `limit` octets is left out.
 */
void milter_field_put(struct buf *out, struct str name, struct str value, bool keep_space, size_t limit);
/*
 * The header with these changes, one after the other, into `out` (emptied before). `limit`: octets of one field. 0; -1: it
 * does not fit into out.
 */
int milter_head_apply(struct str head, struct str own, const struct milter_edit *edits, size_t limit, struct buf *out);

#endif
