/*
 * gatepost - set up, start, stop and look after a Gatepost instance. gatepost(8) is its manual.
 */
#include "ctl/gatepost.h"
#include "ctl/instance_conf.h"
#include "ctl/queue.h"
#include "ctl/user.h"
#include "ctl/who.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
	"gatepost - authenticated SMTP as one system\n"
	"\n"
	"  gatepost init DIR [--hostname H] [--smtp-port N] [--submission-port N]\n"
	"                    [--submissions-port N] [--relayhost '[127.0.0.1]:N']\n"
	"  gatepost [-c DIR/etc] start [-f]     start it (-f: stay in the foreground)\n"
	"  gatepost [-c DIR/etc] stop           stop it\n"
	"  gatepost [-c DIR/etc] reload         take up a changed configuration, no session is cut off\n"
	"  gatepost [-c DIR/etc] status [--json]\n"
	"  gatepost [-c DIR/etc] check          say all that is wrong with the configuration\n"
	"  gatepost [-c DIR/etc] user add NAME [--name 'User1']     password on standard input\n"
	"  gatepost [-c DIR/etc] user passwd NAME | del NAME | list | migrate\n"
	"  gatepost [-c DIR/etc] user app-password add NAME --name DEVICE [--expires 90d] [--networks N]\n"
	"  gatepost [-c DIR/etc] user app-password list NAME [--json] | revoke NAME DEVICE | --all\n"
	"  gatepost [-c DIR/etc] auth test [--mech M] [--json] NAME  log in, say each step; password on standard "
	"input\n"
	"  gatepost [-c DIR/etc] auth who [--json]       who is logged in, and who failed to too often\n"
	"  gatepost [-c DIR/etc] auth unblock NETWORK | USER        forget these failures\n"
	"  gatepost pw [-l] [-s SCHEME] [-r ROUNDS] [-u USER] [-p PASSWORD] [-V] [-t HASH]   as doveadm pw\n"
	"  gatepost [-c DIR/etc] queue top [--once | --json]         what goes where, and why things wait\n"
	"  gatepost [-c DIR/etc] queue fsck [--repair] [--json]     read the whole log, say what is damaged\n"
	"  gatepost version\n"
	"\n"
	"The configuration is in DIR/etc; without -c in $MAIL_CONFIG, or else in /etc/gatepost.\n";

static int wrong_usage(const char *what)
{
	fprintf(stderr, "gatepost: %s\n\n%s", what, usage);
	return 2;
}

/* ---- commands ---- */

static int user_command(const struct conf *conf, int argc, char **argv)
{
	int r = ctl_user(conf, argc, argv);

	if (r == 0 && argc > 1 && strcmp(argv[0], "add") == 0)
		for (int i = 1; i < argc; i++)
			if (strchr(argv[i], '@') && strncmp(argv[i - 1], "--", 2) != 0)
				return ctl_add_domain(conf, str_c(argv[i]));
	return r;
}

static int status(const char *dir, int argc, char **argv)
{
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--json") != 0))
		return wrong_usage("status takes --json only");
	return ctl_status(dir, argc, argv);
}

static int version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("gatepost " GATEPOST_VERSION);
	return 0;
}

/* What asks an instance reads main.cf alone. */
static struct conf *read_main(const char *dir)
{
	return instance_conf("gatepost", dir);
}

/* Each has one function. It is given the words from the command's own on; `with_conf` those behind it. */
static const struct command {
	const char *word;
	const char *second; /* what stands behind it: "": any word; NULL: that is the function's own affair */
	int (*plain)(int argc, char **argv);
	int (*alone)(const char *dir); /* takes nothing */
	int (*in_dir)(const char *dir, int argc, char **argv);
	int (*with_conf)(const struct conf *conf, int argc, char **argv);
	struct conf *(*read)(const char *dir); /* with_conf's; NULL: it was said why not */
} commands[] = {
	{ "init", .plain = ctl_init },
	{ "start", .in_dir = ctl_start },
	{ "stop", .alone = ctl_stop },
	{ "reload", .alone = ctl_reload },
	{ "status", .in_dir = status },
	{ "check", .alone = ctl_check },
	{ "user", "", .with_conf = user_command, .read = ctl_conf },
	{ "auth", "test", .with_conf = ctl_auth, .read = read_main },
	{ "auth", "who", .with_conf = ctl_who, .read = read_main },
	{ "auth", "unblock", .with_conf = ctl_auth, .read = read_main },
	{ "pw", .plain = ctl_pw },
	{ "queue", .with_conf = ctl_queue, .read = read_main },
	{ "version", .plain = version },
};

static bool is_meant(const struct command *c, int argc, char **argv)
{
	if (strcmp(argv[0], c->word) != 0)
		return false;
	return c->second == NULL || (argc > 1 && (*c->second == '\0' || strcmp(argv[1], c->second) == 0));
}

static int say_takes_nothing(const char *word)
{
	char text[200];

	snprintf(text, sizeof text,
		"%s takes nothing behind it; which configuration is said before: `gatepost -c DIR/etc %s`", word, word);
	return wrong_usage(text);
}

static int run(const struct command *c, const char *dir, int argc, char **argv)
{
	struct conf *conf;
	int r;

	if (c->plain)
		return c->plain(argc, argv);
	if (c->alone)
		return argc > 1 ? say_takes_nothing(c->word) : c->alone(dir);
	if (c->in_dir)
		return c->in_dir(dir, argc, argv);
	conf = c->read(dir);
	if (conf == NULL)
		return 1;
	r = c->with_conf(conf, argc - 1, argv + 1);
	conf_free(&conf);
	return r;
}

static int dispatch(const char *dir, int argc, char **argv)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (is_meant(&commands[i], argc, argv))
			return run(&commands[i], dir, argc, argv);
	if (strcmp(argv[0], "user") == 0 || strcmp(argv[0], "auth") == 0)
		return wrong_usage(
			"which? `user add`, `user del`, `user passwd`, `user list`, `user app-password`, `auth test`, "
			"`auth who`, `auth unblock`");
	return wrong_usage("there is no such command");
}

int main(int argc, char **argv)
{
	const char *dir = getenv("MAIL_CONFIG");
	int option;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0))
		argv[1] += 2; /* the words */
	while ((option = getopt(argc, argv, "+c:hv")) != -1) {
		if (option == 'c')
			dir = optarg;
		else if (option == 'h') {
			fputs(usage, stdout);
			return 0;
		} else if (option != 'v')
			return wrong_usage("unknown option");
	}
	if (optind >= argc)
		return wrong_usage("what shall I do?");
	if (strcmp(argv[optind], "help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	argc -= optind;
	argv += optind;
	optind = 0; /* the commands read their own options anew */
	return dispatch(dir ? dir : "/etc/gatepost", argc, argv);
}
