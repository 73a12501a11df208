/*
 * log.h - the log: one line an event, "syslog_name/process[pid]: text", to syslog, a file or stderr.
 *
 * Lines are gathered and written at log_flush(), which the event loop calls once a turn (see child.h); a warning or
 * worse is written at once. Foreign octets in a line are shown as "?" unless printable ASCII or valid UTF-8. Nothing
 * secret is ever passed in here: that is the caller's duty.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"
#include <stdarg.h>

enum log_to { LOG_TO_STDERR, LOG_TO_FD, LOG_TO_SYSLOG };

/*
 * Where lines go from now on. `name` is what stands before "[pid]", for example "postfix/smtpd" (copied). `fd` is
 * used by LOG_TO_FD only, open for append, and stays the caller's. `facility` is syslog's (LOG_TO_SYSLOG only).
 * Call it before a chroot: it connects to syslog at once.
 */
void log_open(enum log_to to, const char *name, int fd, int facility);
/* Change the name in front of the following lines (a service with an own syslog_name). The pointer must stay valid. */
void log_name(const char *name);
/* Show debug lines too. */
void log_verbose(bool on);

void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* "warning: …" */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* "error: …" */
/* Say it ("fatal: …") and exit(1): the world is not as it must be; a person has to act. */
_Noreturn void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Say it ("panic: …") and abort(): our own fault, or no memory. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Write what was gathered. */
void log_flush(void);

/* An invariant of ours. Stays in release builds. */
#define require(x) ((x) ? (void)0 : panic("%s:%d: broken: %s", __FILE__, __LINE__, #x))

#endif
