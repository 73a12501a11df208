/* queue_fsck.c - gatepost queue fsck: the command and what it prints. gatepost(8). */
#include "ctl/queue_fsck.h"
#include "ctl/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* As fsck(8) has them, but for wrong usage. */
enum { EXIT_CLEAN = 0, EXIT_REPAIRED = 1, EXIT_USAGE = 2, EXIT_DAMAGED = 4, EXIT_FAILED = 8 };

static struct {
	bool json, repair, messages;
	json_t *actions;
} option;

static const char *const header_words[] = { [FSCK_GOOD] = "good",
	[FSCK_ONE_COPY] = "one copy is damaged",
	[FSCK_REBUILT] = "both copies are damaged; known from the records",
	[FSCK_LOST] = "damaged, and no record can be read",
	[FSCK_BLANK] = "blank: never finished" };

static const char *class_word(const struct fsck_segment *s)
{
	switch (s->head.class) {
	case SEG_SPARE:
		return "spare";
	case SEG_MAIL:
		return "mail";
	case SEG_RESULT:
		return "results";
	default:
		return "unknown";
	}
}

/* One line of a terminal, written over and over. */
static void show_progress(const char *what, size_t done, size_t of)
{
	fprintf(stderr, "\rgatepost: queue fsck: %zu of %zu segments %s\033[K\r", done, of, what);
}

static void end_progress(const struct fsck *f)
{
	if (f->progress)
		fputs("\033[K", stderr);
}

static void say(const char *segment, const char *what)
{
	if (option.json)
		json_array_append_new(option.actions, json_pack("{ssss}", "segment", segment, "action", what));
	else
		printf("%s%s: %s\n", isatty(STDERR_FILENO) && isatty(STDOUT_FILENO) ? "\033[K" : "", segment, what);
}

/* A text of the log, which may be damaged or of another charset. */
static json_t *json_text(struct str s)
{
	json_t *j = json_stringn(s.p ? s.p : "", s.n);
	char *plain;

	if (j)
		return j;
	plain = xcalloc(1, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		plain[i] = s.p[i] & (char)0x80 ? '?' : s.p[i];
	j = json_stringn(plain, s.n);
	free(plain);
	return j;
}

static json_t *json_segment(const struct fsck_segment *s)
{
	json_t *damage = json_array();

	for (size_t i = 0; i < s->n_damage; i++) {
		const struct fsck_damage *d = &s->damage[i];

		json_array_append_new(
			damage, json_pack("{sI sI sb ss so}", "from", (json_int_t)d->from, "to", (json_int_t)d->to,
					"mendable", d->mended, "record", d->what, "was", json_text(str_c(d->lost))));
	}
	return json_pack("{ss ss sI sI ss sI sI sI sI sI so ss}", "file", s->name, "class", class_word(s), "generation",
		(json_int_t)s->head.generation, "octets", (json_int_t)s->file_octets, "header", header_words[s->header],
		"records", (json_int_t)s->records, "waiting", (json_int_t)s->waiting, "done", (json_int_t)s->done,
		"lost", (json_int_t)s->lost, "unreadable", (json_int_t)s->unreadable, "damage", damage, "error",
		s->error ? strerror(-s->error) : "");
}

static json_t *json_message(const struct fsck_message *m)
{
	json_t *rcpts = json_array();
	char id[ENVELOPE_ID_TEXT];

	for (size_t i = 0; i < m->env.n_rcpt; i++)
		if (!m->rcpt_done[i])
			json_array_append_new(rcpts, json_text(m->env.rcpt[i].address));
	return json_pack("{ss so so sI sI}", "queue_id", envelope_id_text(m->env.id, id), "sender",
		json_text(m->env.sender), "recipients", rcpts, "message_size", (json_int_t)m->env.size,
		"damaged_octets", (json_int_t)m->damaged_octets);
}

static json_t *json_messages(const struct fsck *f, enum fsck_state state)
{
	json_t *list = json_array();

	for (size_t h = 0; h < FSCK_HASH; h++)
		for (const struct fsck_message *m = f->message[h]; m; m = m->next)
			if (m->state == state)
				json_array_append_new(list, json_message(m));
	return list;
}

static void print_json(const struct fsck *f, bool repaired)
{
	json_t *segments = json_array(), *all;

	for (size_t i = 0; i < f->n_segment; i++)
		json_array_append_new(segments, json_segment(f->segment[i]));
	all = json_pack("{sb sb sb sI sI sI sI sI sI so so so}", "running", f->running, "clean", fsck_is_clean(f),
		"repaired", repaired, "waiting", (json_int_t)f->n_waiting, "lost", (json_int_t)f->n_lost, "given_up",
		(json_int_t)f->n_given_up, "damaged_copies", (json_int_t)f->n_damaged_copies, "damaged",
		(json_int_t)f->n_damage, "mendable", (json_int_t)f->n_mended, "segments", segments, "lost_messages",
		json_messages(f, FSCK_DAMAGED), "actions", json_incref(option.actions));
	if (option.messages)
		json_object_set_new(all, "waiting_messages", json_messages(f, FSCK_WAITING));
	json_dumpf(all, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}

static void print_segment(const struct fsck_segment *s)
{
	printf("%s  %-7s  generation %llu  %llu octets  %zu records", s->name, class_word(s),
		(unsigned long long)s->head.generation, (unsigned long long)s->file_octets, s->records);
	if (s->head.class == SEG_MAIL)
		printf("  messages: %zu wait, %zu done, %zu lost", s->waiting, s->done, s->lost);
	putchar('\n');
	if (s->header != FSCK_GOOD)
		printf("  header: %s\n", header_words[s->header]);
	if (s->error)
		printf("  header: cannot be read: %s\n", strerror(-s->error));
	if (s->unreadable)
		printf("  %llu octets cannot be read: see to the disk, then try again; --repair gives them up\n",
			(unsigned long long)s->unreadable);
	for (size_t i = 0; i < s->n_damage; i++) {
		const struct fsck_damage *d = &s->damage[i];

		printf("  octets %llu to %llu: %s%s%s%s%s\n", (unsigned long long)d->from,
			(unsigned long long)d->to - 1, d->mended ? "one bit is wrong: can be mended" : "damaged",
			*d->what ? ": " : "", d->what, *d->lost ? " of " : "", d->lost);
	}
}

static void print_lost(const struct fsck_message *m)
{
	char id[ENVELOPE_ID_TEXT];

	printf("lost: %s: from=<%.*s>", envelope_id_text(m->env.id, id), STR_ARG(m->env.sender));
	for (size_t i = 0; i < m->env.n_rcpt; i++)
		if (!m->rcpt_done[i])
			printf(" to=<%.*s>", STR_ARG(m->env.rcpt[i].address));
	printf(": %zu of %llu octets of content are damaged\n", m->damaged_octets, (unsigned long long)m->env.size);
}

static void print_text(const struct fsck *f)
{
	for (size_t i = 0; i < f->n_segment; i++)
		print_segment(f->segment[i]);
	for (size_t h = 0; h < FSCK_HASH; h++)
		for (const struct fsck_message *m = f->message[h]; m; m = m->next)
			if (m->state == FSCK_DAMAGED)
				print_lost(m);
	if (f->n_damaged_copies)
		printf("%zu messages have a damaged copy, and are whole without it\n", f->n_damaged_copies);
	if (f->n_given_up)
		printf("%zu messages were given up; their senders are told when the instance runs\n", f->n_given_up);
	printf("%zu segments, %zu messages wait, %zu are lost, %zu places are damaged (%zu can be mended)%s\n",
		f->n_segment, f->n_waiting, f->n_lost, f->n_damage, f->n_mended,
		f->running ? "; read while it runs" : "");
}

static int run(struct fsck *f)
{
	bool clean;
	int r = EXIT_CLEAN;

	if (fsck_read(f) != 0) {
		fprintf(stderr, "gatepost: queue fsck: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	end_progress(f);
	clean = fsck_is_clean(f);
	if (!option.json)
		print_text(f);
	if (!clean)
		r = EXIT_DAMAGED;
	if (!clean && option.repair)
		r = fsck_repair(f, say) == 0 ? EXIT_REPAIRED : EXIT_FAILED;
	end_progress(f);
	if (r == EXIT_FAILED)
		fprintf(stderr, "gatepost: queue fsck: not all of it could be repaired: see above for the reason, then "
				"try again\n");
	if (option.json)
		print_json(f, r == EXIT_REPAIRED);
	return r;
}

static bool read_options(int argc, char **argv)
{
	static const struct option names[] = { { "repair", no_argument, NULL, 'r' }, { "json", no_argument, NULL, 'j' },
		{ "messages", no_argument, NULL, 'm' }, { NULL, 0, NULL, 0 } };
	int opt;

	while ((opt = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (opt == 'r')
			option.repair = true;
		else if (opt == 'j')
			option.json = true;
		else if (opt == 'm')
			option.messages = true;
		else
			return false;
	}
	return optind == argc;
}

static int check_spool(const char *spool)
{
	struct fsck *f = xcalloc(1, sizeof *f);
	int r = EXIT_FAILED;

	f->mem = arena_new(0);
	f->progress = isatty(STDERR_FILENO) ? show_progress : NULL;
	f->spool = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->log = f->spool < 0 ? -1 : openat(f->spool, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (f->log < 0) {
		fprintf(stderr, "gatepost: queue fsck: %s/log: %s\n", spool, strerror(errno));
	} else {
		f->running = flock(f->log, LOCK_EX | LOCK_NB) != 0; /* queued's own lock: it does not start meanwhile */
		if (f->running && option.repair)
			fprintf(stderr, "gatepost: queue fsck: %s/log is in use: `gatepost stop` first, then repair\n",
				spool);
		else
			r = run(f);
		close(f->log);
	}
	if (f->spool >= 0)
		close(f->spool);
	fsck_clear(f);
	free(f);
	return r;
}

int queue_fsck(const struct conf *conf, int argc, char **argv)
{
	int r;

	if (!read_options(argc, argv)) {
		fprintf(stderr, "usage: gatepost queue fsck [--repair] [--json] [--messages]\n");
		return EXIT_USAGE;
	}
	option.actions = json_array();
	r = check_spool(conf_str(conf_main(conf), "queue_directory"));
	json_decref(option.actions);
	return r;
}
