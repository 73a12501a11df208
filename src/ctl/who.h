/* who.h - `gatepost auth who [--json]`: who is logged in, in all processes of the instance. */
#ifndef CTL_WHO_H
#define CTL_WHO_H

#include "conf/conf.h"

/* argv[0] is "who". Returns the exit code: 0; 1 not running (said on stderr); 2 wrong usage. */
int ctl_who(const struct conf *conf, int argc, char **argv);

#endif
