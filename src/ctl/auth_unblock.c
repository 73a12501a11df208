/* gatepost auth unblock: asked of authd, over queue_directory/public/auth. */
#include "ctl/user.h"
#include "ctl/socket.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 64, ANSWER_MAX = 4096, WHAT_MAX = 900 };

static int dial(const char *queue_directory)
{
	/* The path is relative: a long queue_directory does not fit into an address. */
	int fd = chdir(queue_directory) == 0 ? ctl_connect("public/auth", 0) : -1;

	if (fd >= 0)
		return fd;
	fprintf(stderr,
		"gatepost: %s/public/auth: %s; authd answers there: it runs where auth_conf_file exists, after "
		"`gatepost "
		"start`\n",
		queue_directory, strerror(errno));
	return -1;
}

/* The object that it answers; NULL: said why. */
static json_t *ask(const struct conf *conf, const char *what)
{
	struct buf text = BUF_INIT(ANSWER_MAX);
	int fd = dial(conf_str(conf_main(conf), "queue_directory"));
	json_t *answer = NULL;
	json_error_t error;
	ssize_t n;
	char *p;

	if (fd < 0)
		return NULL;
	if (dprintf(fd, "unblock %s\n", what) > 0)
		while ((p = buf_reserve(&text, 1024)) != NULL && (n = read(fd, p, 1024)) > 0)
			buf_commit(&text, (size_t)n);
	close(fd);
	answer = text.n ? json_loadb(text.p, text.n, 0, &error) : NULL;
	buf_free(&text);
	if (json_object_get(answer, "error") == NULL && answer)
		return answer;
	fprintf(stderr, "gatepost: auth unblock: %s\n",
		answer ? json_string_value(json_object_get(answer, "error")) : "authd gave no answer");
	json_decref(answer);
	return NULL;
}

static int unblock(const struct conf *conf, const char *what)
{
	json_t *answer;
	long long n;

	if (strlen(what) > WHAT_MAX || strpbrk(what, "\r\n")) {
		fputs("gatepost: auth unblock: that is no network and no user\n", stderr);
		return EXIT_FAILED;
	}
	answer = ask(conf, what);
	if (answer == NULL)
		return EXIT_FAILED;
	n = json_integer_value(json_object_get(answer, "lifted"));
	json_decref(answer);
	if (n == 0) {
		printf("%s: no failed logins were counted\n", what);
		return EXIT_FAILED;
	}
	printf("%s: %lld counts of failed logins are lifted\n", what, n);
	return EXIT_DONE;
}

int ctl_auth_unblock(const struct conf *conf, int argc, char **argv)
{
	if (argc == 2 && argv[1][0] != '-' && argv[1][strspn(argv[1], " \t")] != '\0')
		return unblock(conf, argv[1]);
	fputs("usage: gatepost auth unblock NETWORK | USER\n", stderr);
	return EXIT_USAGE;
}
