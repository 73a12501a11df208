#include "ctl/queue.h"

#include <stdio.h>

static const struct {
	const char *word;
	int (*run)(const struct conf *conf, int argc, char **argv);
} commands[] = {
	{ "top", queue_top },
	{ "fsck", queue_fsck },
};

int ctl_queue(const struct conf *conf, int argc, char **argv)
{
	for (size_t i = 0; argc > 0 && i < sizeof commands / sizeof *commands; i++)
		if (strcmp(argv[0], commands[i].word) == 0)
			return commands[i].run(conf, argc, argv);
	fprintf(stderr, "gatepost queue: which?");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(stderr, "%s `queue %s`", i ? "," : "", commands[i].word);
	fputc('\n', stderr);
	return 2;
}
