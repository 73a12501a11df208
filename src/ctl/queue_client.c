#include "ctl/queue_client.h"
#include "ctl/instance_conf.h"
#include "ctl/socket.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

struct conf *queue_conf(const char *program, const char *dir)
{
	struct conf *conf = instance_conf(program, dir);

	if (conf == NULL)
		exit(1);
	return conf;
}

static bool master_is_there(void)
{
	int fd = ctl_connect("public/control", 0), saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return fd >= 0;
}

/* Between two queued (a reload, a restart) nobody listens for a moment. */
static int connect_to_queue(void)
{
	enum { TRIES = 100, PAUSE_US = 50000 };
	int fd = ctl_connect("public/queue", 0), saved = errno;

	for (unsigned i = 0; fd < 0 && i < TRIES && (saved == ECONNREFUSED || saved == ENOENT) && master_is_there();
		i++) {
		usleep(PAUSE_US);
		fd = ctl_connect("public/queue", 0);
		saved = errno;
	}
	errno = saved;
	return fd;
}

static int dial(const char *program, const struct conf *conf)
{
	const char *dir = conf_str(conf_main(conf), "queue_directory");
	int fd, saved;

	if (chdir(dir) != 0) { /* a long queue_directory does not fit into an address */
		fprintf(stderr, "%s: fatal: %s: %s\n", program, dir, strerror(errno));
		exit(EX_UNAVAILABLE);
	}
	fd = connect_to_queue();
	if (fd >= 0)
		return fd;
	saved = errno;
	fprintf(stderr, "%s: fatal: %smail system is down (%s/public/queue: %s); ", program,
		strcmp(program, "postqueue") == 0 ? "Queue report unavailable - " : "the ", dir, strerror(saved));
	if (master_is_there())
		fprintf(stderr, "master runs, but not queued: see its log\n");
	else
		fprintf(stderr,
			"start it with `gatepost -c %s start`; `gatepost queue fsck --json --messages` lists what its "
			"log holds\n",
			conf_dir(conf));
	exit(EX_UNAVAILABLE);
}

static bool on_a_screen;

void queue_on_a_screen(void)
{
	static char text[BUFSIZ];

	on_a_screen = true;
	setvbuf(stderr, text, _IOFBF, sizeof text);
}

/* After a start what is asked may have to wait until the log is read: nobody shall think that we hang. */
static void wait_for_answer(const char *program, int fd)
{
	enum { PATIENCE_MS = 2000 };
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (!on_a_screen && isatty(STDERR_FILENO) && poll(&p, 1, PATIENCE_MS) == 0)
		fprintf(stderr, "%s: queued does not answer yet; after a start it reads its log first ...\n", program);
}

FILE *queue_ask(const char *program, const struct conf *conf, const char *fmt, ...)
{
	struct buf line = BUF_INIT(65536);
	int fd = dial(program, conf);
	char first;
	bool sent;
	ssize_t n;
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	buf_vaddf(&line, fmt, ap);
	va_end(ap);
	buf_add_char(&line, '\n');
	/* A failure is none yet: it may have answered and closed before it read ("too many ask at once"). */
	sent = ctl_send_all(fd, buf_str(&line)) == 0;
	buf_free(&line);
	wait_for_answer(program, fd);
	n = recv(fd, &first, 1, MSG_PEEK);
	if (n < 0 || (n == 0 && !sent)) { /* nothing at all may be an answer, but not to what nobody read */
		fprintf(stderr, "%s: fatal: queued ended before it had answered\n", program);
		exit(EX_TEMPFAIL);
	}
	f = fdopen(fd, "r");
	if (f == NULL) {
		fprintf(stderr, "%s: fatal: %s\n", program, strerror(errno));
		exit(1);
	}
	return f;
}

int queue_error_code(const char *error)
{
	if (strcmp(error, "no permission") == 0)
		return EX_NOPERM;
	return strcmp(error, "too many ask at once") == 0 ? EX_TEMPFAIL : 1;
}

/* One line of a terminal, written over and over. */
static void show_progress(const char *program, const json_t *answer)
{
	fprintf(stderr, "\r%s: %lld done, %lld of %lld messages looked at\033[K", program,
		(long long)json_integer_value(json_object_get(answer, "progress")),
		(long long)json_integer_value(json_object_get(answer, "seen")),
		(long long)json_integer_value(json_object_get(answer, "of")));
	fputs("\r", stderr);
}

long queue_ask_count(const char *program, const struct conf *conf, const char *word, const char *arg)
{
	bool shows = isatty(STDERR_FILENO);
	FILE *f = queue_ask(program, conf, "%s %s%s", word, arg, shows ? "\tprogress" : "");
	char line[4096];
	json_t *answer = NULL;
	const char *error;
	long n = -1;

	for (;;) {
		if (fgets(line, sizeof line, f) == NULL) {
			fprintf(stderr, "%s: fatal: queued ended before it answered\n", program);
			exit(EX_TEMPFAIL);
		}
		answer = json_loads(line, 0, NULL);
		if (json_object_get(answer, "progress") == NULL)
			break;
		show_progress(program, answer);
		json_decref(answer);
	}
	if (shows)
		fputs("\033[K", stderr);
	fclose(f);
	error = json_string_value(json_object_get(answer, "error"));
	if (error) {
		fprintf(stderr, "%s: %.*s: %s%s\n", program, (int)strcspn(arg, "\t"), arg, error, /* behind: filters */
			queue_error_code(error) != EX_NOPERM ? ""
			: strcmp(word, "flush") == 0	     ? ": authorized_flush_users says who may"
							     : ": run it as root");
		if (queue_error_code(error) != 1)
			exit(queue_error_code(error));
	} else {
		n = (long)json_integer_value(json_object_get(answer, "count"));
	}
	json_decref(answer);
	return n;
}
