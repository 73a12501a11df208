/* users_impl.h - the words of a userdb or master socket that stand in files of their own; as users_line(). */
#ifndef AUTHD_USERS_IMPL_H
#define AUTHD_USERS_IMPL_H

#include "authd/authd.h"

/* cache_words.c */
int users_cache_flush(struct client *c, uint32_t id, struct str rest);
int users_cache_status(struct client *c, uint32_t id, struct str rest);

#endif
