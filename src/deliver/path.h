/*
 * path.h - which file names a table or an address may lead to. Pure.
 *
 * Paths come from lookup tables (that is, from SQL that others fill) and from addresses: no part of one may leave the
 * directory that it is relative to. That no part is a symbolic link is checked when it is opened (open_dir.h).
 */
#ifndef DELIVER_PATH_H
#define DELIVER_PATH_H

#include "base/buf.h"

enum { PATH_OCTETS_MAX = 1024, PATH_PART_MAX = 255, PATH_PARTS_MAX = 32 };

/* NULL: fit to be opened below a base directory. Else why not, as the end of a sentence ("has a part \"..\""). */
const char *path_fault(struct str path);
/* Does it name a Maildir (a "/" at the end) rather than an mbox file? */
bool path_is_maildir(struct str path);
/*
 * "DOMAIN/USER/" of an address, in lower case, into `out`; the extension behind one of `delimiters` ("" none) is cut.
 * -1: no domain, or a part that is no fit file name.
 */
int path_of_address(struct buf *out, struct str address, struct str delimiters);
/* Local part without its extension: all before the first of `delimiters` that is not the first octet. */
struct str path_cut_extension(struct str local, struct str delimiters);

#endif
