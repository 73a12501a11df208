/*
 * postconf - show and change main.cf and master.cf. See man/postconf.1.
 */
#include "ctl/postconf.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct edit_file postconf_edit;

static void say(const char *how, const char *fmt, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "postconf: %s: ", how);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void postconf_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("warning", fmt, ap);
	va_end(ap);
}

_Noreturn void postconf_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("fatal", fmt, ap);
	va_end(ap);
	edit_cancel(&postconf_edit);
	exit(1);
}

static _Noreturn void usage(void)
{
	postconf_die("usage: postconf [-aAdefFhHlmMnpPqvxX#] [-c config_dir] [-C class] [-o name=value] "
		     "[name... | name=value...]");
}

static void show_lines(const char *const *lines)
{
	for (; *lines; lines++)
		puts(*lines);
}

/* Options that show what is built in and end the program. */
static bool show_built_in(int option)
{
	static const char *const tables[] = { "btree", "cidr", "fail", "hash", "inline", "lmdb",
#ifdef HAVE_MYSQL
		"mysql",
#endif
		"pcre",
#ifdef HAVE_PGSQL
		"pgsql",
#endif
		"proxy", "regexp", "sqlite", "static", "texthash", "unix", "userdb", NULL };
	static const char *const sasl[] = { "dovecot", NULL };
	static const char *const locks[] = { "fcntl", "dotlock", NULL };

	if (option == 'm')
		show_lines(tables);
	else if (option == 'a' || option == 'A')
		show_lines(sasl);
	else if (option == 'l')
		show_lines(locks);
	else
		return false;
	return true;
}

static unsigned class_of(const char *text)
{
	struct str rest = str_c(text), word;
	unsigned classes = 0;

	while (str_word(&rest, ", \t", &word)) {
		if (str_ieq(word, STR("builtin")))
			classes |= CLASS_BUILTIN;
		else if (str_ieq(word, STR("service")))
			classes |= CLASS_SERVICE;
		else if (str_ieq(word, STR("user")))
			classes |= CLASS_USER;
		else if (str_ieq(word, STR("all")))
			classes |= CLASS_ALL;
		else
			postconf_die("unknown -C option value \"%.*s\" in \"%s\"", STR_ARG(word), text);
	}
	return classes;
}

static void add_override(struct postconf *p, const char *text)
{
	const char **more = arena_array(p->mem, p->n_overrides + 2, sizeof(*more));
	struct str name, value;
	const char *wrong = split_name_value(str_c(text), &name, &value);

	if (wrong)
		postconf_die("%s: \"%s\"", wrong, text);
	if (p->n_overrides)
		memcpy(more, p->overrides, p->n_overrides * sizeof(*more));
	more[p->n_overrides++] = text;
	p->overrides = more;
}

/* Options without an argument. */
static bool *flag_of(struct postconf *p, int option)
{
	const struct {
		int option;
		bool *flag;
	} flags[] = { { 'p', &p->main }, { 'M', &p->rows }, { 'F', &p->fields }, { 'P', &p->settings },
		{ 'd', &p->defaults }, { 'n', &p->only_set }, { 'x', &p->expand }, { 'h', &p->hide_name },
		{ 'H', &p->hide_value }, { 'f', &p->fold }, { 'e', &p->set }, { 'X', &p->remove }, { '#', &p->comment },
		{ 'q', &p->quiet } };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].option == option)
			return flags[i].flag;
	return NULL;
}

static void option(struct postconf *p, int letter, const char *argument)
{
	bool *flag = flag_of(p, letter);

	if (flag)
		*flag = true;
	else if (letter == 'c' || letter == 'C') {
		if (letter == 'C') {
			p->classes = class_of(argument);
			return;
		}
		p->dir = argument;
		p->dir_given = true;
	} else if (letter == 'o')
		add_override(p, argument);
	else if (letter != 'v')
		usage();
}

static void exclusive(unsigned n, const char *which)
{
	if (n > 1)
		postconf_die("specify one of %s", which);
}

static void check_options(const struct postconf *p, char **args)
{
	bool edits = p->set || p->remove || p->comment;

	exclusive(0u + p->main + p->rows + p->fields + p->settings, "-p, -M, -F and -P");
	exclusive(0u + p->set + p->remove + p->comment, "-e, -X and -#");
	exclusive(0u + p->defaults + p->only_set + edits, "-d, -n, -e, -X and -#");
	exclusive(0u + p->hide_name + p->hide_value, "-h and -H");
	if (p->defaults && (p->n_overrides || !p->main))
		postconf_die("with option -d, do not specify %s", p->n_overrides ? "-o" : "-F, -M or -P");
	if (edits && (p->expand || p->n_overrides || p->hide_name || p->hide_value || p->fold))
		postconf_die("with options -e, -X and -#, do not specify -f, -h, -H, -o or -x");
	if (p->fields && (p->remove || p->comment))
		postconf_die("with option -F, do not specify -X or -#");
	if (p->settings && p->comment)
		postconf_die("with option -P, do not specify -#");
	if (p->set && !*args)
		postconf_die("-e requires name=value argument");
	if (edits && !*args)
		postconf_die("missing service argument");
}

static void run(struct postconf *p, char **args)
{
	if (p->set || p->remove || p->comment) {
		if (p->main)
			postconf_edit_main(p, args);
		else
			postconf_edit_master(p, args);
		return;
	}
	postconf_load(p);
	if (p->main) {
		postconf_show_main(p, args);
		postconf_warn_unused(p, NULL);
		return;
	}
	if (!p->conf->has_master)
		exit(1);
	if (p->rows)
		postconf_show_rows(p, args);
	else if (p->fields)
		postconf_show_fields(p, args);
	else
		postconf_show_settings(p, args);
	postconf_warn_unused(p, "master.cf");
}

int main(int argc, char **argv)
{
	struct postconf p = { .classes = CLASS_ALL, .mem = arena_new(65536), .dir = getenv("MAIL_CONFIG") };
	int letter;

	if (argc == 2 && (strcmp(argv[1], "--manual") == 0 || strcmp(argv[1], "--manual-esmtp") == 0)) {
		if (strcmp(argv[1], "--manual") == 0)
			postconf_manual();
		else
			postconf_manual_esmtp();
		arena_free(&p.mem);
		return 0;
	}
	p.dir_given = p.dir != NULL;
	p.dir = p.dir ? p.dir : "/etc/gatepost";
	while ((letter = getopt(argc, argv, "aAc:C:de#fFhHlmMno:pPqvxX")) > 0) {
		if (show_built_in(letter)) {
			arena_free(&p.mem);
			return 0;
		}
		option(&p, letter, optarg);
	}
	p.main = p.main || (!p.rows && !p.fields && !p.settings);
	if (argv[optind] && strchr(argv[optind], '=') && !p.remove && !p.comment)
		p.set = true;
	check_options(&p, argv + optind);
	run(&p, argv + optind);
	if (p.conf)
		conf_free(&p.conf);
	arena_free(&p.mem);
	if (fflush(stdout) || ferror(stdout))
		postconf_die("write: %s", strerror(errno));
	return 0;
}
