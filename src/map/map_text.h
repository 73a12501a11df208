/*
 * map_text.h - the text that tables are written in: postmap(1), aliases(5), and lists of words as main.cf has them.
 *
 * Pure: a text in, slices out.
 */
#ifndef MAP_MAP_TEXT_H
#define MAP_MAP_TEXT_H

#include "base/buf.h"

/*
 * Logical lines: a line that begins with a blank continues the one before; empty lines and lines whose first
 * non-blank is "#" are skipped, also amid a continued line.
 */
struct map_lines {
	struct str rest;
	unsigned line; /* of the first physical line of what map_lines_next() returned, from 1 */
	unsigned next; /* of the line where rest begins */
	struct buf joined;
};
void map_lines_begin(struct map_lines *l, struct str text);
/* False at the end. *out is valid until the next call; no blanks at its end. */
bool map_lines_next(struct map_lines *l, struct str *out);
void map_lines_end(struct map_lines *l);

enum map_entry {
	MAP_ENTRY,	 /* key and value */
	MAP_ENTRY_COLON, /* the same, but the key had a colon behind it, as in aliases(5): it is cut off */
	MAP_ENTRY_QUOTE, /* a quotation mark is not closed */
	MAP_ENTRY_EMPTY	 /* no key, or no value */
};
/*
 * Take a logical line apart: key, blanks, value. A key in quotation marks may have blanks in it, and keeps its marks.
 * `aliases`: the colon is the separator, and the marks of a key are taken off where nothing needs them (`scratch`).
 */
enum map_entry map_entry_parse(struct str line, bool aliases, struct buf *scratch, struct str *key, struct str *value);

/* The next word of a list: commas and blanks separate, but not inside of braces. Returns false at the end. */
bool map_word(struct str *rest, struct str *word);
/* Without the outer braces and the blanks inside them, if it has any. */
struct str map_unbrace(struct str word);
/* Text without "name =" lines: read one of "name = value" (the files of SQL tables). */
bool map_setting_parse(struct str line, struct str *name, struct str *value);

/* Addresses of a table's value: {value} at first. */
struct map_addresses {
	struct str rest;
	size_t n_plain; /* first octets of rest that are known to have no brackets */
};
/*
 * The next one: addresses are separated by commas or blanks, may be quoted, in "<>", and with a name before "<". Returns
 * false at the end.
 */
bool map_address_next(struct map_addresses *l, struct str *address);

#endif
