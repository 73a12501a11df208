/*
 * fault.h - why a login fails, for the log: one line for each, however many passdbs were asked, and none for one that the next
 * passdb lets in.
 */
#ifndef AUTHD_FAULT_H
#define AUTHD_FAULT_H

#include "authd/login.h"

/*
 * l->passdb does not let him in. Of several reasons the one that knows most is told: of those that know as much the last, and of
 * causes the first. `what`: English, without a full stop; it is copied. What auth_verbose_passwords wants to have of the password
 * stands behind it, but with FAULT_CAUSE: then it may have been the right one.
 */
void fault_note(struct login *l, enum fault_knows knows, const char *what);
/*
 * It has failed: the line of what was noted, as far as auth_verbose = no of a passdb does not keep its own back. Returns what
 * was noted, in the arena of the login; NULL: nothing was.
 */
const char *fault_log(const struct login *l);
/* A look-up in l->passdb has failed, which the log says already: for whoever watches this login. */
void fault_away(struct login *l);
/* At once: l->passdb cannot say whether he may. `what` lives as long as the login. */
void fault_say(struct login *l, const char *what);

#endif
