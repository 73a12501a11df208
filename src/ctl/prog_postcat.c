/* postcat - show a message of the queue. postcat(1) */
#include "ctl/queue_client.h"
#include "log/spool_reader.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static const char *program = "postcat";
enum { SHOW_ENVELOPE = 1, SHOW_HEADER = 2, SHOW_BODY = 4, SHOW_ALL = 7 };
static bool with_offsets;

static void usage(void)
{
	fprintf(stderr, "usage: postcat [-c config_directory] [-behov] -q queueid...\n");
	exit(EX_USAGE);
}

/* -o: where in the content a line begins. */
static void print_offset(size_t at)
{
	if (with_offsets)
		printf("%9zu ", at);
}

static void print_envelope(const json_t *m)
{
	time_t arrival = (time_t)(json_integer_value(json_object_get(m, "arrival_us")) / 1000000);
	json_t *attributes = json_object_get(m, "attributes"), *rcpts = json_object_get(m, "recipients"), *value;
	long long size = (long long)json_integer_value(json_object_get(m, "size"));
	const char *key;
	char when[64];
	struct tm tm;

	localtime_r(&arrival, &tm);
	strftime(when, sizeof when, "%a %b %e %H:%M:%S %Y", &tm);
	printf("message_size: %15lld %15d %15zu %15d %15lld %15d\n", size, 0, json_array_size(rcpts), 0, size, 0);
	printf("message_arrival_time: %s\n", when);
	json_object_foreach(attributes, key, value) if (*json_string_value(value))
		printf("named_attribute: %s=%s\n", key, json_string_value(value));
	printf("sender: %s\n", json_string_value(json_object_get(m, "sender")));
	for (size_t i = 0; i < json_array_size(rcpts); i++) {
		json_t *r = json_array_get(rcpts, i);
		const char *original = json_string_value(json_object_get(r, "original"));
		const char *orcpt = json_string_value(json_object_get(r, "orcpt"));

		if (*orcpt)
			printf("named_attribute: dsn_orig_rcpt=%s\n", orcpt);
		if (*original)
			printf("original_recipient: %s\n", original);
		printf("%s: %s\n", json_is_true(json_object_get(r, "done")) ? "done_recipient" : "recipient",
			json_string_value(json_object_get(r, "address")));
	}
}

/* Lines end with LF here, as they do in a file of text. */
static void print_part(char *p, size_t n, unsigned what)
{
	bool in_header = true;

	for (size_t at = 0; at < n;) {
		char *lf = memchr(p + at, '\n', n - at);
		size_t all = lf ? (size_t)(lf - (p + at)) + 1 : n - at, line = all;

		if (line >= 2 && p[at + line - 2] == '\r')
			p[at + --line - 1] = '\n';
		if (line <= 1)
			in_header = false; /* the blank line goes with the body */
		if (what & (in_header ? SHOW_HEADER : SHOW_BODY)) {
			print_offset(at);
			fwrite(p + at, 1, line, stdout);
		}
		at += all;
	}
}

static int show(const struct conf *conf, const char *id, unsigned what)
{
	FILE *f = queue_ask(program, conf, "cat %s", id);
	const char *queue, *error;
	char *line = NULL, *p;
	size_t cap = 0, n;
	bool at_line_start = true;
	json_t *m;

	m = getline(&line, &cap, f) > 0 ? json_loads(line, 0, NULL) : NULL;
	error = json_string_value(json_object_get(m, "error"));
	if (error && queue_error_code(error) != 1) {
		fprintf(stderr, "postcat: fatal: %s: %s\n", id,
			queue_error_code(error) == EX_NOPERM ? "Permission denied" : error);
		return queue_error_code(error);
	}
	if (m == NULL || error || json_object_get(m, "sender") == NULL) {
		fprintf(stderr, "postcat: fatal: open queue file %s: No such file or directory\n", id);
		return 1;
	}
	n = (size_t)json_integer_value(json_object_get(m, "octets"));
	p = xcalloc(1, n + 1);
	if (fread(p, 1, n, f) != n) {
		fprintf(stderr, "postcat: fatal: %s: the content ends early\n", id);
		return 1;
	}
	n = dot_unstuff(p, n, &at_line_start);
	queue = json_string_value(json_object_get(m, "queue_name"));
	if (what & SHOW_ENVELOPE) {
		printf("*** ENVELOPE RECORDS %s/%s ***\n", queue, id);
		print_envelope(m);
		printf("*** MESSAGE CONTENTS %s/%s ***\n", queue, id);
	}
	print_part(p, n, what);
	if (what & SHOW_ENVELOPE)
		printf("*** HEADER EXTRACTED %s/%s ***\n*** MESSAGE FILE END %s/%s ***\n", queue, id, queue, id);
	free(p);
	free(line);
	json_decref(m);
	fclose(f);
	return 0;
}

int main(int argc, char **argv)
{
	const char *dir = NULL;
	unsigned what = 0;
	bool by_id = false;
	struct conf *conf;
	int opt, failed = 0;

	while ((opt = getopt(argc, argv, "bc:dehoqrs:v")) != -1) {
		if (opt == 'c')
			dir = optarg;
		else if (opt == 'q')
			by_id = true;
		else if (opt == 'o')
			with_offsets = true;
		else if (opt == 'b' || opt == 'e' || opt == 'h')
			what |= opt == 'b' ? SHOW_BODY : opt == 'e' ? SHOW_ENVELOPE : SHOW_HEADER;
		else if (opt == '?')
			usage();
	}
	if (!by_id || optind == argc)
		usage();
	conf = queue_conf(program, dir);
	for (int i = optind; i < argc; i++)
		failed |= show(conf, argv[i], what ? what : SHOW_ALL);
	return failed;
}
