/* settings_impl.h - between the files that read auth.conf: settings.c, listeners.c. */
#ifndef AUTHD_SETTINGS_IMPL_H
#define AUTHD_SETTINGS_IMPL_H

#include "authd/settings.h"
#include "conf/dovecot.h"

struct loader {
	struct settings *set;
	struct dovecot_conf *conf; /* auth.conf */
	struct buf *errors, *warnings;
};

/* One line to l->errors, with the file and line of the node. */
void settings_complain(struct loader *l, const struct dovecot_node *n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A copy that lives as long as the settings. */
const char *settings_keep(struct loader *l, const char *s);

/* All listeners of all "service auth" blocks. */
void load_listeners(struct loader *l);

#endif
