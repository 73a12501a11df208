/*
 * below_queue.h - what a process of the instance sees, for those who look in its place: it stands in queue_directory, with an
 * account of its own.
 */
#ifndef CTL_BELOW_QUEUE_H
#define CTL_BELOW_QUEUE_H

#include "conf/conf.h"

/* The path from queue_directory on, without a "/" in front; as it is where it is not below it. Part of `path`, with the same end. */
struct str below_queue(const struct conf_view *v, struct str path);
/* Is that path, however it is written, one of these n? */
bool below_queue_is_in(const struct conf_view *v, struct str path, const struct str *paths, size_t n);
/*
 * Go into queue_directory and, as root, take the account that the parameter `owner` names ("map_owner"), with the group of
 * mail_owner, as master's children do. An account that is not there is not taken: that is said elsewhere. For a child process.
 * 0, or -1 (errno).
 */
int below_queue_enter(const struct conf_view *v, const char *owner);

#endif
