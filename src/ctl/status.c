#include "ctl/gatepost.h"
#include "ctl/instance_conf.h"
#include "smtp/client.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 1000 };

/* Processes say it of themselves, and a terminal obeys control characters. Good for the next three calls. */
static const char *shown(const char *s)
{
	static char text[4][SHOWN_MAX + 1];
	static unsigned next;
	struct buf out = BUF_INIT(SHOWN_MAX);

	next = (next + 1) % 4;
	text_sanitise(&out, str_c(s ? s : ""), SHOWN_MAX);
	snprintf(text[next], sizeof text[next], "%s", out.n ? out.p : "");
	buf_free(&out);
	return text[next];
}

static const char *text_of(const json_t *object, const char *key)
{
	return shown(json_string_value(json_object_get(object, key)));
}

static bool is_jail(const char *key)
{
	size_t n = strlen(key);

	return n > 5 && strcmp(key + n - 5, "_jail") == 0;
}

/* What a process tells of itself, in one line: every member that is not in the fixed columns. */
static void print_details(const json_t *process)
{
	static const char *const columns[] = { "role", "index", "pid", "ready", "leaving", "jail", "answered" };
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)process, key, value)
	{
		bool known = is_jail(key);

		for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
			known = known || strcmp(key, columns[i]) == 0;
		if (!known) {
			char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

			printf("  %s=%s", shown(key), text ? shown(text) : "?");
			free(text);
		}
	}
}

/* What an operator has to see to. */
static void print_advice(const json_t *process)
{
	long long damaged = json_integer_value(json_object_get(process, "damaged"));
	long long lost = json_integer_value(json_object_get(process, "octets_unreadable"));
	long long waiting = json_integer_value(json_object_get(process, "segments_waiting_for_disk"));

	if (waiting > 0)
		printf("the queue: %lld segments cannot be read now (see the log, and the disk); tried again\n",
			waiting);
	if (damaged > 0)
		printf("the queue: %lld messages are damaged: see `gatepost queue fsck`\n", damaged);
	if (lost > 0)
		printf("the queue: %lld octets could not be read and were passed over: see `gatepost queue fsck`\n",
			lost);
}

/* What it gave up, and what its helpers did ("lmtp_jail"). */
static void print_jails(const json_t *process)
{
	const char *key;
	json_t *value;

	printf("%18s  gave up: %s\n", "", text_of(process, "jail"));
	json_object_foreach((json_t *)(uintptr_t)process, key, value) if (is_jail(key)) printf(
		"%18s  its process %.*s gave up: %s\n", "", (int)strlen(key) - 5, shown(key), text_of(process, key));
}

static const char *state_of(const json_t *process)
{
	if (json_is_false(json_object_get(process, "answered")))
		return "no answer: it hangs, is stopped, or is very busy";
	if (json_is_true(json_object_get(process, "leaving")))
		return "leaving";
	return json_is_true(json_object_get(process, "ready")) ? "ready" : "starting";
}

static void print_table(const json_t *status)
{
	const json_t *listen = json_object_get(status, "listen"), *processes = json_object_get(status, "processes");
	size_t i;
	json_t *row;

	printf("gatepost %s, master %d, configuration %s\n", text_of(status, "version"),
		(int)json_integer_value(json_object_get(status, "pid")), text_of(status, "config_directory"));
	json_array_foreach(listen, i, row)
		printf("listens on %-24s %s\n", text_of(row, "address"), text_of(row, "service"));
	printf("%-8s %8s  %s\n", "process", "pid", "state");
	json_array_foreach(processes, i, row)
	{
		printf("%-8s %8d  %-9s", text_of(row, "role"), (int)json_integer_value(json_object_get(row, "pid")),
			state_of(row));
		print_details(row);
		putchar('\n');
		print_jails(row);
	}
	json_array_foreach(processes, i, row) print_advice(row);
}

int ctl_status(const char *config_directory, int argc, char **argv)
{
	bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
	struct conf *conf = instance_conf("gatepost", config_directory);
	struct buf answer = BUF_INIT(1 << 22);
	json_t *status;
	json_error_t error;

	if (conf == NULL)
		return 1;
	if (ctl_ask_master(conf, "status", &answer) != 0) {
		ctl_say_no_answer(conf, "status");
		conf_free(&conf);
		return 1;
	}
	conf_free(&conf);
	status = json_loadb(answer.p, answer.n, 0, &error);
	if (status == NULL) {
		fprintf(stderr, "gatepost: master's answer cannot be read: %s\n", error.text);
		return 1;
	}
	if (as_json) {
		json_dumpf(status, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_table(status);
	}
	json_decref(status);
	buf_free(&answer);
	return 0;
}
