#include "base/log.h"
#include "base/utf8.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_OCTETS = 2048, GATHER_OCTETS = 32768 };

static struct {
	enum log_to to;
	char base_name[128];
	const char *name;
	int fd;
	int facility;
	bool verbose;
	char gathered[GATHER_OCTETS];
	size_t n;
	char host[65]; /* without its domain */
	int pid;       /* 0: ask */
} lg = { .to = LOG_TO_STDERR, .name = "gatepost", .fd = 2 };

static void in_forked_child(void)
{
	lg.pid = 0;
}

/* Both are asked for once: a line needs no system call for them. */
static void know_ourselves(void)
{
	static bool watching;

	if (!watching)
		watching = pthread_atfork(NULL, NULL, in_forked_child) == 0;
	gethostname(lg.host, sizeof lg.host - 1);
	lg.host[strcspn(lg.host, ".")] = '\0';
}

static int own_pid(void)
{
	if (lg.pid == 0)
		lg.pid = (int)getpid();
	return lg.pid;
}

void log_open(enum log_to to, const char *name, int fd, int facility)
{
	log_flush();
	snprintf(lg.base_name, sizeof lg.base_name, "%s", name);
	lg.name = lg.base_name;
	lg.to = to;
	lg.fd = to == LOG_TO_FD ? fd : 2;
	lg.facility = facility;
	if (to == LOG_TO_SYSLOG)
		openlog(lg.base_name, LOG_PID | LOG_NDELAY, facility);
	know_ourselves();
	tzset();
}

void log_name(const char *name)
{
	lg.name = name ? name : lg.base_name;
}

void log_verbose(bool on)
{
	lg.verbose = on;
}

void log_flush(void)
{
	size_t done = 0;
	int saved = errno;

	while (done < lg.n) {
		ssize_t w = write(lg.fd, lg.gathered + done, lg.n - done);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			break; /* a full disk or a closed terminal must not stop the mail */
		done += (size_t)w;
	}
	lg.n = 0;
	errno = saved;
}

static void gather(const char *line, size_t n)
{
	if (lg.n + n > sizeof lg.gathered)
		log_flush();
	memcpy(lg.gathered + lg.n, line, n);
	lg.n += n;
}

static void make_printable(char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n;) {
		size_t len = utf8_sequence(str_pn(text + i, n - i));

		if (len == 0 || (len == 1 && ((unsigned char)text[i] < 32 || text[i] == 127))) {
			text[i] = '?';
			len = 1;
		}
		i += len;
	}
}

/* "Nov  3 15:04:05 ", made once a second. */
static const char *timestamp(void)
{
	static time_t made;
	static char text[32];
	time_t now = time(NULL);
	struct tm tm;

	if (now != made)
		strftime(text, sizeof text, "%b %e %H:%M:%S ", localtime_r(&now, &tm));
	made = now;
	return text;
}

static void say(int priority, const char *label, const char *fmt, va_list ap)
{
	char text[LINE_MAX_OCTETS], line[LINE_MAX_OCTETS + 256];
	int saved = errno, n;

	vsnprintf(text, sizeof text, fmt, ap);
	make_printable(text);
	if (lg.to == LOG_TO_SYSLOG) {
		if (lg.name != lg.base_name)
			openlog(lg.name, LOG_PID | LOG_NDELAY, lg.facility);
		syslog(lg.facility | priority, "%s%s", label, text);
		if (lg.name != lg.base_name)
			openlog(lg.base_name, LOG_PID | LOG_NDELAY, lg.facility);
		errno = saved;
		return;
	}
	if (lg.to == LOG_TO_FD)
		n = snprintf(line, sizeof line, "%s%s %s[%d]: %s%s\n", timestamp(), lg.host, lg.name, own_pid(), label,
			text);
	else
		n = snprintf(line, sizeof line, "%s[%d]: %s%s\n", lg.name, own_pid(), label, text);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof line) {
		n = sizeof line - 1;
		line[n - 1] = '\n';
	}
	gather(line, (size_t)n);
	if (priority <= LOG_WARNING || lg.to == LOG_TO_STDERR)
		log_flush();
	errno = saved;
}

#define SAY(priority, label)                   \
	do {                                   \
		va_list ap;                    \
		va_start(ap, fmt);             \
		say(priority, label, fmt, ap); \
		va_end(ap);                    \
	} while (0)

void log_debug(const char *fmt, ...)
{
	if (lg.verbose)
		SAY(LOG_DEBUG, "");
}

void log_info(const char *fmt, ...)
{
	SAY(LOG_INFO, "");
}

void log_warn(const char *fmt, ...)
{
	SAY(LOG_WARNING, "warning: ");
}

void log_error(const char *fmt, ...)
{
	SAY(LOG_ERR, "error: ");
}

_Noreturn void fatal(const char *fmt, ...)
{
	SAY(LOG_CRIT, "fatal: ");
	log_flush();
	exit(1);
}

_Noreturn void panic(const char *fmt, ...)
{
	SAY(LOG_CRIT, "panic: ");
	log_flush();
	abort();
}
