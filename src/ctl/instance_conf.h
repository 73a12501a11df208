/* instance_conf.h - main.cf for the programs that ask an instance or give it mail. */
#ifndef CTL_INSTANCE_CONF_H
#define CTL_INSTANCE_CONF_H

#include "conf/conf.h"

/*
 * main.cf as conf_load_main() has it, of `dir`; NULL: of MAIL_CONFIG, or of /etc/gatepost. Its faults are said on stderr as
 * warnings of `program`. NULL: there is none that can be worked with; that is said too.
 */
struct conf *instance_conf(const char *program, const char *dir);

#endif
