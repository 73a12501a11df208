/* ask_master.c - what the commands ask of a running instance: master, at its socket. */
#include "ctl/gatepost.h"
#include "ctl/socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int connect_master(const struct conf *conf)
{
	char path[512]; /* longer than any socket's may be */

	snprintf(path, sizeof path, "%s/public/control", conf_str(conf_main(conf), "queue_directory"));
	return ctl_connect(path, 0);
}

bool ctl_is_running(const struct conf *conf)
{
	int fd = connect_master(conf);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* To its end. Returns 0, or -1 with errno. */
static ssize_t read_answer(int fd, struct buf *answer)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0 && buf_add(answer, chunk, (size_t)n) != 0) {
			errno = EMSGSIZE;
			return -1;
		}
	}
	return 0;
}

int ctl_ask_master(const struct conf *conf, const char *word, struct buf *answer)
{
	struct timeval limit = { .tv_sec = 10 };
	int fd = connect_master(conf), error = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	do
		n = send(fd, word, strlen(word), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		n = read_answer(fd, answer);
	if ((n == 0 && answer->n == 0) || (n < 0 && (errno == EPIPE || errno == ECONNRESET)))
		error = EACCES; /* master closed without a word: not permitted */
	else if (n < 0)
		error = errno;
	close(fd);
	errno = error;
	return error ? -1 : 0;
}

void ctl_say_no_answer(const struct conf *conf, const char *word)
{
	int error = errno;
	const char *queue = conf_str(conf_main(conf), "queue_directory");

	if (error == EACCES)
		fprintf(stderr, "gatepost: only root and the account that started it may ask for %s\n", word);
	else if (error == EAGAIN)
		fprintf(stderr, "gatepost: it is running, but did not answer within 10 seconds: see its log\n");
	else if (error != ENOENT && error != ECONNREFUSED && error != ENOTDIR)
		fprintf(stderr, "gatepost: %s/public/control cannot be asked for %s: %s\n", queue, word,
			strerror(error));
	else if (strcmp(word, "stop") == 0)
		fprintf(stderr, "gatepost: it is not running (%s/public/control: %s)\n", queue, strerror(error));
	else
		fprintf(stderr,
			"gatepost: it is not running (%s/public/control: %s); start it with `gatepost -c %s start`\n",
			queue, strerror(error), conf_dir(conf));
}
