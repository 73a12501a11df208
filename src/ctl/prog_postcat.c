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
enum { SHOW_ENVELOPE = 1, SHOW_HEADER = 2, SHOW_BODY = 4 };

static void usage(void)
{
	fprintf(stderr, "usage: postcat [-c config_directory] [-behv] -q queueid...\n");
	exit(EX_USAGE);
}

static void print_envelope(const json_t *m)
{
	time_t arrival = (time_t)(json_integer_value(json_object_get(m, "arrival_us")) / 1000000);
	json_t *attributes = json_object_get(m, "attributes"), *rcpts = json_object_get(m, "recipients"), *value;
	const char *key;
	char when[64];
	struct tm tm;

	localtime_r(&arrival, &tm);
	strftime(when, sizeof when, "%a %b %e %H:%M:%S %Y", &tm);
	printf("message_size: %lld\n", (long long)json_integer_value(json_object_get(m, "size")));
	printf("message_arrival_time: %s\n", when);
	json_object_foreach(attributes, key, value) if (*json_string_value(value))
		printf("named_attribute: %s=%s\n", key, json_string_value(value));
	printf("sender: %s\n", json_string_value(json_object_get(m, "sender")));
	for (size_t i = 0; i < json_array_size(rcpts); i++) {
		json_t *r = json_array_get(rcpts, i);
		const char *original = json_string_value(json_object_get(r, "original"));

		if (*original)
			printf("original_recipient: %s\n", original);
		printf("recipient: %s\n", json_string_value(json_object_get(r, "address")));
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
		if (what & (in_header ? SHOW_HEADER : SHOW_BODY))
			fwrite(p + at, 1, line, stdout);
		if (line <= 1)
			in_header = false;
		at += all;
	}
}

static int show(const struct conf *conf, const char *id, unsigned what)
{
	FILE *f = queue_ask(program, conf, "cat %s", id);
	char *line = NULL, *p;
	size_t cap = 0, n;
	bool at_line_start = true;
	json_t *m;

	m = getline(&line, &cap, f) > 0 ? json_loads(line, 0, NULL) : NULL;
	if (m == NULL || json_object_get(m, "error") || json_object_get(m, "sender") == NULL) {
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
	if (what & SHOW_ENVELOPE) {
		printf("*** ENVELOPE RECORDS %s/%s ***\n", json_string_value(json_object_get(m, "queue_name")), id);
		print_envelope(m);
	}
	if (what == (SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY))
		printf("*** MESSAGE CONTENTS %s/%s ***\n", json_string_value(json_object_get(m, "queue_name")), id);
	print_part(p, n, what);
	if (what == (SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY))
		printf("*** HEADER EXTRACTED %s/%s ***\n*** MESSAGE FILE END %s/%s ***\n",
			json_string_value(json_object_get(m, "queue_name")), id,
			json_string_value(json_object_get(m, "queue_name")), id);
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

	while ((opt = getopt(argc, argv, "bc:dehoqv")) != -1) {
		if (opt == 'c')
			dir = optarg;
		else if (opt == 'q')
			by_id = true;
		else if (opt == 'b' || opt == 'e' || opt == 'h')
			what |= opt == 'b' ? SHOW_BODY : opt == 'e' ? SHOW_ENVELOPE : SHOW_HEADER;
		else if (opt == '?')
			usage();
	}
	if (!by_id || optind == argc)
		usage();
	conf = queue_conf(program, dir);
	for (int i = optind; i < argc; i++)
		failed |= show(conf, argv[i], what ? what : SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY);
	return failed;
}
