/* postsuper - delete, hold, release, requeue messages. postsuper(1) */
#include "ctl/queue_client.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char *program = "postsuper";

static const struct {
	char option;
	const char *word, *done;
} actions[] = {
	{ 'd', "delete", "Deleted" },
	{ 'h', "hold", "Placed on hold" },
	{ 'H', "release", "Released from hold" },
	{ 'r', "requeue", "Requeued" },
};
enum { ACTIONS = sizeof actions / sizeof *actions };

static void usage(void)
{
	fprintf(stderr, "usage: postsuper [-c config_directory] [-psSv] [-d id|ALL|-] [-h id|ALL|-] [-H id|ALL|-] "
			"[-r id|ALL|-]\n");
	exit(EX_USAGE);
}

static long act_one(const struct conf *conf, size_t action, const char *id)
{
	long n = queue_ask_count(program, conf, actions[action].word, id);

	return n > 0 ? n : 0;
}

/* Ids on standard input, one a line; what postqueue -j | jq gives. */
static long act_list(const struct conf *conf, size_t action)
{
	char line[256];
	long n = 0;

	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, " \t\r\n*!")] = '\0';
		if (*line)
			n += act_one(conf, action, line);
	}
	return n;
}

static void act(const struct conf *conf, size_t action, const char *what)
{
	long n = strcmp(what, "-") == 0 ? act_list(conf, action) : act_one(conf, action, what);

	if (n > 0)
		fprintf(stderr, "postsuper: %s: %ld message%s\n", actions[action].done, n, n == 1 ? "" : "s");
}

int main(int argc, char **argv)
{
	static const char options[] = "c:d:h:H:r:psSv";
	const char *dir = getenv("MAIL_CONFIG");
	bool any = false;
	struct conf *conf;
	int opt;

	while ((opt = getopt(argc, argv, options)) != -1) {
		if (opt == '?')
			usage();
		if (opt == 'c')
			dir = optarg;
		else if (opt != 'v')
			any = true;
	}
	if (!any || optind < argc)
		usage();
	conf = queue_conf(program, dir);
	optind = 1;
	while ((opt = getopt(argc, argv, options)) != -1)
		for (size_t i = 0; i < ACTIONS; i++) /* -p, -s, -S: the log needs no purging and no repair by hand */
			if (actions[i].option == opt)
				act(conf, i, optarg);
	return 0;
}
