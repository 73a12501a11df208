/*
 * queue_filter.h - the options that postqueue(1), postsuper(1) and `gatepost queue` share: which messages.
 *
 * --sender, --recipient, --site, --reason PATTERN; --older TIME. A pattern is an address, "@domain", or a glob.
 */
#ifndef CTL_QUEUE_FILTER_H
#define CTL_QUEUE_FILTER_H

#include "base/buf.h"

#include <getopt.h>

enum { FILTER_FIRST = 256 };			   /* values of getopt_long() for them, from here on */
extern const struct option queue_filter_options[]; /* ended by zeros */

/*
 * Add one to a request ("\tsender=x"). False: the value is none, which was said on stderr.
 */
bool queue_filter_add(const char *program, struct buf *request, int letter, const char *value);
/* "-older 2h", "1d12h", "90": seconds. False: it is no time. */
bool queue_filter_time(struct str text, uint64_t *seconds);

#endif
