/* postsuper - delete, hold, release, requeue, return messages. postsuper(1) */
#include "ctl/queue_client.h"
#include "ctl/queue_filter.h"
#include "log/envelope.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

static const char *program = "postsuper";

static const struct action {
	char option;
	const char *word, *done, *one;
} actions[] = {
	{ 'd', "delete", "Deleted", "removed" },
	{ 'h', "hold", "Placed on hold", "placed on hold" },
	{ 'H', "release", "Released from hold", "released from hold" },
	{ 'r', "requeue", "Requeued", "requeued" },
	{ 'e', "expire", "Expired", "expired" },
	{ 'f', "expire-release", "Expired", "expired" },
};
enum { ACTIONS = sizeof actions / sizeof *actions, MAX_REQUESTS = 64 };

_Noreturn static void usage(void)
{
	fprintf(stderr,
		"usage: postsuper [-c config_directory] [-psSv] [-d|-h|-H|-r|-e|-f queueid|ALL|-]... [queue...]\n"
		"       postsuper -d|-h|-H|-r|-e|-f [--sender|--recipient|--site|--reason PATTERN] [--older TIME] "
		"[queue...]\n");
	exit(EX_USAGE);
}

struct request {
	const struct action *action;
	const char *what; /* id, "ALL", "-", or "" when filters say it */
};

static long ask(const struct conf *conf, const struct action *a, const char *what, const struct buf *filter)
{
	struct buf arg = BUF_INIT(16384);
	long n;

	buf_addf(&arg, "%s%s", what, filter->p ? filter->p : "");
	n = queue_ask_count(program, conf, a->word, str_trim(buf_str(&arg)).p);
	buf_free(&arg);
	if (n > 0 && *what && strcmp(what, "ALL") != 0)
		fprintf(stderr, "%s: %s: %s\n", program, what, a->one);
	return n;
}

static void invalid_id(const char *id)
{
	fprintf(stderr, "%s: warning: invalid mail queue id: %s\n", program, id);
}

/* Ids on standard input, one a line; what postqueue -j | jq gives. Only ids: a list is no place for ALL or a filter. */
static long ask_list(const struct conf *conf, const struct action *a, const struct buf *filter)
{
	char *line = NULL;
	size_t cap = 0;
	long n = 0;

	while (getline(&line, &cap, stdin) > 0) {
		uint64_t id;

		line[strcspn(line, " \t\r\n*!#")] = '\0';
		if (envelope_id_parse(str_c(line), &id)) {
			long one = ask(conf, a, line, filter);

			n += one > 0 ? one : 0;
		} else if (*line) {
			invalid_id(line);
		}
	}
	free(line);
	return n;
}

static int act(const struct conf *conf, const struct request *r, const struct buf *filter)
{
	uint64_t id;
	long n = 0;

	if (strcmp(r->what, "-") == 0)
		n = ask_list(conf, r->action, filter);
	else if (*r->what == '\0' || strcmp(r->what, "ALL") == 0 || envelope_id_parse(str_c(r->what), &id))
		n = ask(conf, r->action, r->what, filter);
	else
		invalid_id(r->what);
	if (n < 0)
		return 1;
	fprintf(stderr, "%s: %s: %ld message%s\n", program, r->action->done, n, n == 1 ? "" : "s");
	return 0;
}

static const struct action *action_of(int letter)
{
	for (size_t i = 0; i < ACTIONS; i++)
		if (actions[i].option == letter)
			return &actions[i];
	return NULL;
}

/* An option's argument may be missing when filters follow: "postsuper -d --sender @x". */
static const char *what_of(const char *value)
{
	if (strncmp(value, "--", 2) != 0)
		return value;
	optind--; /* it is the next option */
	return "";
}

static void explain_structure_check(void)
{
	fprintf(stderr,
		"%s: messages are no files here, and have no names to be put in order; `gatepost queue fsck` "
		"examines the log\n",
		program);
}

/* Queue names limit it to these, as in "postsuper -d ALL deferred". */
static void add_queues(struct buf *filter, int n, char **names)
{
	for (int i = 0; i < n; i++) {
		const char *name = names[i];

		if (strcmp(name, "incoming") != 0 && strcmp(name, "active") != 0 && strcmp(name, "deferred") != 0 &&
			strcmp(name, "hold") != 0) {
			fprintf(stderr, "%s: fatal: invalid directory name: %s\n", program, name);
			exit(EX_USAGE);
		}
		buf_addf(filter, "%s%s", i ? "," : "\tqueue=", name);
	}
}

int main(int argc, char **argv)
{
	struct request request[MAX_REQUESTS];
	const char *dir = getenv("MAIL_CONFIG");
	struct buf filter = BUF_INIT(8192);
	bool filtered, structure = false;
	struct conf *conf;
	int opt, n = 0, failed = 0;

	while ((opt = getopt_long(argc, argv, "c:d:e:f:h:H:r:psSv", queue_filter_options, NULL)) != -1) {
		const struct action *a = action_of(opt);

		if (opt == '?' || (a && n == MAX_REQUESTS))
			usage();
		if (opt == 'c')
			dir = optarg;
		else if (a)
			request[n++] = (struct request){ a, what_of(optarg) };
		else if (opt >= FILTER_FIRST && !queue_filter_add(program, &filter, opt, optarg))
			return EX_USAGE;
		else
			structure = structure || opt == 's' || opt == 'S' || opt == 'p';
	}
	filtered = filter.n > 0;
	add_queues(&filter, argc - optind, argv + optind);
	structure = structure || (n == 0 && filter.n == 0); /* Postfix's default */
	if (structure)
		explain_structure_check();
	if (n == 0 && !structure)
		usage();
	for (int i = 0; i < n; i++)
		if (*request[i].what == '\0' && !filtered) /* never everything by mistake */
			usage();
	conf = n > 0 ? queue_conf(program, dir) : NULL;
	for (int i = 0; i < n; i++)
		failed |= act(conf, &request[i], &filter);
	return failed;
}
