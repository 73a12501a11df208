/* restriction.h - the names of the restrictions that smtpd's lists may hold, for those who check lists without running them. */
#ifndef CONF_RESTRICTION_H
#define CONF_RESTRICTION_H

#include "base/str.h"

enum restriction_sort {
	RESTRICTION_UNKNOWN,
	RESTRICTION_PLAIN,
	RESTRICTION_WITH_ARG, /* the next word belongs to it */
	RESTRICTION_GUARD,    /* a list with it lets no stranger relay */
	RESTRICTION_WARN      /* warn_if_reject: what follows guards nothing */
};

enum restriction_sort restriction_sort(struct str name);

#endif
