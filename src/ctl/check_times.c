/* check_times.c - times of the queue that contradict each other. */
#include "ctl/check.h"

/* queued goes on with the shortest one, as read_conf() there has it. */
void check_times(const struct checked *c)
{
	const char *shortest = "minimal_backoff_time", *longest = "maximal_backoff_time";

	if (conf_seconds(c->view, shortest) <= conf_seconds(c->view, longest))
		return;
	buf_addf(c->warnings,
		"%s: %s = %s is more than %s = %s: the second is not obeyed, and each new try waits as long as the "
		"first says; raise %s or lower %s\n",
		c->where, shortest, conf_str(c->view, shortest), longest, conf_str(c->view, longest), longest,
		shortest);
}
