/* notify.h - tell the service manager that has started us, as sd_notify(3) describes it: systemd with Type=notify. */
#ifndef CTL_NOTIFY_H
#define CTL_NOTIFY_H

#include <stdbool.h>

/* Is there one that waits, and has it not been told yet? */
bool notify_is_wanted(void);
/* Send it these assignments, "READY=1", once: what is started from now on finds no NOTIFY_SOCKET. Failures are of no matter. */
void notify_manager(const char *text);

#endif
