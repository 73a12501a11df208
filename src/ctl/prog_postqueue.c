/* postqueue, mailq - show the queue, flush it. postqueue(1) */
#include "ctl/queue_client.h"
#include "ctl/queue_filter.h"
#include "log/envelope.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static const char *program = "postqueue";

static void usage(void)
{
	fprintf(stderr,
		"usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site\n"
		"       each with -c config_directory, -v; -j and -p with --sender, --recipient, --site, --reason "
		"PATTERN, --older TIME\n");
	exit(EX_USAGE);
}

static const char *text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

/* The columns of Postfix's postqueue(1): by enable_long_queue_ids. */
static const struct columns {
	const char *head, *message, *rcpt;
} columns[] = {
	{ "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------", "%-11s %7lld %-20.20s %s\n",
		"%41s%s\n" },
	{ "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------", "%-17s %8lld %-19.19s %s\n",
		"%47s%s\n" },
};
static const struct columns *layout = &columns[0];

static void print_reason(const char *reason)
{
	int padding = 76 - (int)strlen(reason);

	printf("%*s(%s)\n", padding > 0 ? padding : 0, "", reason);
}

/* Recipients that wait for the same reason stand below it together, as postqueue has always shown them. */
static void print_rcpts(const json_t *rcpts)
{
	const char *before = "";

	for (size_t i = 0; i < json_array_size(rcpts); i++) {
		const json_t *r = json_array_get(rcpts, i);
		const char *reason = text(r, "delay_reason");

		if (*reason && strcmp(reason, before) != 0)
			print_reason(reason);
		before = reason;
		printf(layout->rcpt, "", text(r, "address"));
	}
}

/* What stands behind the id. */
static const char *status_of(const json_t *m)
{
	if (strcmp(text(m, "queue_name"), "active") == 0)
		return "*";
	if (strcmp(text(m, "queue_name"), "hold") == 0)
		return "!";
	return json_is_true(json_object_get(m, "forced_expire")) ? "#" : "";
}

static void print_message(const json_t *m)
{
	time_t arrival = (time_t)json_integer_value(json_object_get(m, "arrival_time"));
	char when[64], id[64];
	struct tm tm;

	localtime_r(&arrival, &tm);
	strftime(when, sizeof when, "%a %b %d %H:%M:%S", &tm);
	snprintf(id, sizeof id, "%s%s", text(m, "queue_id"), status_of(m));
	printf(layout->message, id, (long long)json_integer_value(json_object_get(m, "message_size")), when,
		text(m, "sender"));
	print_rcpts(json_object_get(m, "recipients"));
	printf("\n");
}

/* An answer that is no message: says it, and ends. */
static void check_error(const json_t *m)
{
	const char *error = json_string_value(json_object_get(m, "error"));

	if (error == NULL)
		return;
	fprintf(stderr, "%s: fatal: %s%s\n", program, error,
		queue_error_code(error) == EX_NOPERM ? ": authorized_mailq_users says who may" : "");
	exit(queue_error_code(error));
}

/* The answer to "list": a line for each message, and an empty one when that were all. */
struct list {
	FILE *f;
	char *line; /* ends in LF */
	size_t cap;
	bool ended;
};

/* The octets of the next line; 0: there is none, or nobody reads us. */
static size_t list_next(struct list *l)
{
	ssize_t n = ferror(stdout) || l->ended ? 0 : getline(&l->line, &l->cap, l->f);

	l->ended = l->ended || (n > 0 && strcmp(l->line, "\n") == 0);
	return n > 0 && !l->ended ? (size_t)n : 0;
}

/* When the end did not come, what was shown is not all, and nothing shown is not nothing. Returns the exit code. */
static int list_end(struct list *l)
{
	free(l->line);
	if (fflush(stdout) != 0 || ferror(stdout))
		return 1;
	if (l->ended)
		return 0;
	fprintf(stderr, "%s: fatal: queued ended before it had answered: this is not all, try again\n", program);
	return EX_TEMPFAIL;
}

static int print_columns(FILE *f)
{
	struct list list = { .f = f };
	unsigned long n = 0;
	unsigned long long octets = 0;

	while (list_next(&list) > 0) {
		json_t *m = json_loads(list.line, 0, NULL);

		if (m == NULL)
			continue;
		check_error(m);
		if (n++ == 0)
			puts(layout->head);
		octets += (unsigned long long)json_integer_value(json_object_get(m, "message_size"));
		print_message(m);
		json_decref(m);
	}
	if (list.ended && n == 0)
		printf("Mail queue is empty\n");
	else if (list.ended)
		printf("-- %llu Kbytes in %lu Request%s.\n", octets / 1024, n, n == 1 ? "" : "s");
	return list_end(&list);
}

/* As they come; only the first line can be an error. */
static int print_json(FILE *f)
{
	struct list list = { .f = f };
	size_t n;

	for (bool first = true; (n = list_next(&list)) > 0; first = false) {
		json_t *m = first ? json_loads(list.line, 0, NULL) : NULL;

		check_error(m);
		json_decref(m);
		fwrite(list.line, 1, n, stdout);
	}
	return list_end(&list);
}

static int flush_site(const struct conf *conf, const char *site)
{
	char arg[512];
	long n;

	if (snprintf(arg, sizeof arg, "site %s", site) >= (int)sizeof arg)
		usage();
	n = queue_ask_count(program, conf, "flush", arg);
	if (n >= 0)
		return 0;
	fprintf(stderr, "%s: fatal: Flush service is not configured for destination \"%s\"\n", program, site);
	return EX_UNAVAILABLE;
}

static int flush_id(const struct conf *conf, const char *id)
{
	uint64_t number;

	if (envelope_id_parse(str_c(id), &number) && queue_ask_count(program, conf, "flush", id) > 0)
		return 0;
	fprintf(stderr, "%s: %s: no such message that waits\n", program, id);
	return 1;
}

int main(int argc, char **argv)
{
	const char *dir = NULL, *value = NULL, *name = strrchr(argv[0], '/');
	bool as_mailq = strcmp(name ? name + 1 : argv[0], "mailq") == 0;
	struct buf filter = BUF_INIT(8192);
	int mode = as_mailq ? 'p' : 0, opt;
	struct conf *conf;

	while ((opt = getopt_long(argc, argv, "c:fi:jps:v", queue_filter_options, NULL)) != -1) {
		if (opt == 'c')
			dir = optarg;
		else if (opt >= FILTER_FIRST && !queue_filter_add(program, &filter, opt, optarg))
			return EX_USAGE;
		else if (opt == '?' || (opt != 'v' && opt < FILTER_FIRST && mode && !as_mailq))
			usage();
		else if (opt != 'v' && opt < FILTER_FIRST)
			mode = opt, value = optarg;
	}
	if (mode == 0 || optind < argc || (filter.n && mode != 'p' && mode != 'j'))
		usage();
	conf = queue_conf(program, dir);
	layout = &columns[conf_bool(conf_main(conf), "enable_long_queue_ids")];
	switch (mode) {
	case 'p':
		return print_columns(queue_ask(program, conf, "list %s", filter.p ? filter.p : ""));
	case 'j':
		return print_json(queue_ask(program, conf, "list %s", filter.p ? filter.p : ""));
	case 'f':
		return queue_ask_count(program, conf, "flush", "all") < 0;
	case 's':
		return flush_site(conf, value);
	default:
		return flush_id(conf, value);
	}
}
