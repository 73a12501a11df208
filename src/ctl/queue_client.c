#include "ctl/queue_client.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

struct conf *queue_conf(const char *program, const char *dir)
{
	struct buf errors = BUF_INIT(65536), faults = BUF_INIT(65536);
	const char *from = dir ? dir : getenv("MAIL_CONFIG");
	struct conf *conf = conf_load_main(from ? from : "/etc/gatepost", &errors, &faults);
	struct str rest, line;

	if (conf == NULL) {
		fprintf(stderr, "%s: fatal: %s", program, errors.p ? errors.p : "no configuration\n");
		exit(1);
	}
	rest = buf_str(&faults);
	while (str_word(&rest, "\n", &line))
		fprintf(stderr, "%s: warning: %.*s\n", program, STR_ARG(line));
	buf_free(&errors);
	buf_free(&faults);
	return conf;
}

static int dial(const char *program, const struct conf *conf)
{
	const char *dir = conf_str(conf_main(conf), "queue_directory");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (chdir(dir) != 0) { /* a long queue_directory does not fit into an address */
		fprintf(stderr, "%s: fatal: %s: %s\n", program, dir, strerror(errno));
		exit(EX_UNAVAILABLE);
	}
	memcpy(sa.sun_path, "public/queue", sizeof "public/queue");
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0) {
		fprintf(stderr, "%s: fatal: Queue report unavailable - mail system is down (%s/public/queue: %s)\n",
			program, dir, strerror(errno));
		exit(EX_UNAVAILABLE);
	}
	return fd;
}

FILE *queue_ask(const char *program, const struct conf *conf, const char *fmt, ...)
{
	int fd = dial(program, conf);
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	vdprintf(fd, fmt, ap);
	va_end(ap);
	if (dprintf(fd, "\n") < 0) {
		fprintf(stderr, "%s: fatal: %s\n", program, strerror(errno));
		exit(EX_TEMPFAIL);
	}
	f = fdopen(fd, "r");
	if (f == NULL) {
		fprintf(stderr, "%s: fatal: %s\n", program, strerror(errno));
		exit(1);
	}
	return f;
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
		fprintf(stderr, "%s: %s: %s\n", program, arg, error);
		if (strcmp(error, "no permission") == 0)
			exit(EX_NOPERM);
	} else {
		n = (long)json_integer_value(json_object_get(answer, "count"));
	}
	json_decref(answer);
	return n;
}
