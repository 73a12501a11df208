#include "base/log.h"
#include "base/utf8.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	char prefix[256], prefix_name[128];
	size_t prefix_n; /* 0: to be made */
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
	lg.prefix_n = 0;
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

static void make_printable(char *text, size_t n)
{
	struct str rest = str_pn(text, n);

	while (rest.n) {
		size_t at = n - rest.n;
		struct str shown = utf8_take_visible(&rest);

		if (shown.p != text + at)
			memset(text + at, '?', n - rest.n - at);
	}
}

/* "Nov  3 15:04:05 ", made once a second. */
static struct str timestamp(void)
{
	static time_t made;
	static char text[32];
	static size_t n;
	time_t now = time(NULL);
	struct tm tm;

	if (now != made)
		n = strftime(text, sizeof text, "%b %e %H:%M:%S ", localtime_r(&now, &tm));
	made = now;
	return str_pn(text, n);
}

/* "host name[pid]: ", made anew when one of them is another. */
static struct str prefix(void)
{
	if (lg.prefix_n && lg.pid != 0 && strcmp(lg.prefix_name, lg.name) == 0)
		return str_pn(lg.prefix, lg.prefix_n);
	snprintf(lg.prefix_name, sizeof lg.prefix_name, "%s", lg.name);
	lg.prefix_n = (size_t)snprintf(lg.prefix, sizeof lg.prefix, "%s%s%s[%d]: ", lg.to == LOG_TO_FD ? lg.host : "",
		lg.to == LOG_TO_FD ? " " : "", lg.prefix_name, own_pid());
	return str_pn(lg.prefix, lg.prefix_n);
}

static char *put(char *at, struct str s)
{
	memcpy(at, s.p, s.n);
	return at + s.n;
}

static void to_syslog(int priority, const char *label, const char *text)
{
	if (lg.name != lg.base_name)
		openlog(lg.name, LOG_PID | LOG_NDELAY, lg.facility);
	syslog(lg.facility | priority, "%s%s", label, text);
	if (lg.name != lg.base_name)
		openlog(lg.base_name, LOG_PID | LOG_NDELAY, lg.facility);
}

static void to_file(int priority, const char *label, struct str text)
{
	char line[LINE_MAX_OCTETS + 512], *end = line;

	if (lg.to == LOG_TO_FD)
		end = put(end, timestamp());
	end = put(put(put(end, prefix()), str_c(label)), text);
	*end++ = '\n';
	gather(line, (size_t)(end - line));
	if (priority <= LOG_WARNING || lg.to == LOG_TO_STDERR)
		log_flush();
}

static void say(int priority, const char *label, const char *fmt, va_list ap)
{
	char text[LINE_MAX_OCTETS];
	int saved = errno, n = vsnprintf(text, sizeof text, fmt, ap);

	if (n < 0)
		return;
	if ((size_t)n >= sizeof text)
		n = sizeof text - 1;
	make_printable(text, (size_t)n);
	if (lg.to == LOG_TO_SYSLOG)
		to_syslog(priority, label, text);
	else
		to_file(priority, label, str_pn(text, (size_t)n));
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
