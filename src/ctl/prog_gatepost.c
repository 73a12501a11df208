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

typedef int conf_command(const struct conf *conf, int argc, char **argv);

/* With what was read; NULL: it was said why not. */
static int with(struct conf *conf, conf_command *run, int argc, char **argv)
{
	int r;

	if (conf == NULL)
		return 1;
	r = run(conf, argc, argv);
	conf_free(&conf);
	return r;
}

static int with_conf(const char *dir, conf_command *run, int argc, char **argv)
{
	return with(ctl_conf(dir), run, argc, argv);
}

/* The same for what asks an instance. */
static int with_main(const char *dir, conf_command *run, int argc, char **argv)
{
	return with(instance_conf("gatepost", dir), run, argc, argv);
}

static int user_command(const struct conf *conf, int argc, char **argv)
{
	int r = ctl_user(conf, argc, argv);

	if (r == 0 && argc > 1 && strcmp(argv[0], "add") == 0)
		for (int i = 1; i < argc; i++)
			if (strchr(argv[i], '@') && strncmp(argv[i - 1], "--", 2) != 0)
				return ctl_add_domain(conf, str_c(argv[i]));
	return r;
}

static bool takes_nothing(const char *word)
{
	return strcmp(word, "stop") == 0 || strcmp(word, "reload") == 0 || strcmp(word, "check") == 0;
}

static int say_takes_nothing(const char *word)
{
	char text[200];

	snprintf(text, sizeof text,
		"%s takes nothing behind it; which configuration is said before: `gatepost -c DIR/etc %s`", word, word);
	return wrong_usage(text);
}

static int dispatch(const char *dir, int argc, char **argv)
{
	const char *word = argv[0];

	if (strcmp(word, "init") == 0)
		return ctl_init(argc, argv);
	if (strcmp(word, "start") == 0)
		return ctl_start(dir, argc, argv);
	if (takes_nothing(word) && argc > 1)
		return say_takes_nothing(word);
	if (strcmp(word, "stop") == 0)
		return ctl_stop(dir);
	if (strcmp(word, "reload") == 0)
		return ctl_reload(dir);
	if (strcmp(word, "status") == 0 && argc > 1 && (argc > 2 || strcmp(argv[1], "--json") != 0))
		return wrong_usage("status takes --json only");
	if (strcmp(word, "status") == 0)
		return ctl_status(dir, argc, argv);
	if (strcmp(word, "check") == 0)
		return ctl_check(dir);
	if (strcmp(word, "user") == 0 && argc > 1)
		return with_conf(dir, user_command, argc - 1, argv + 1);
	if (strcmp(word, "auth") == 0 && argc > 1 && strcmp(argv[1], "who") == 0)
		return with_main(dir, ctl_who, argc - 1, argv + 1);
	if (strcmp(word, "auth") == 0 && argc > 1 && (strcmp(argv[1], "test") == 0 || strcmp(argv[1], "unblock") == 0))
		return with_main(dir, ctl_auth, argc - 1, argv + 1);
	if (strcmp(word, "pw") == 0)
		return ctl_pw(argc, argv);
	if (strcmp(word, "queue") == 0)
		return with_main(dir, ctl_queue, argc - 1, argv + 1);
	if (strcmp(word, "user") == 0 || strcmp(word, "auth") == 0)
		return wrong_usage(
			"which? `user add`, `user del`, `user passwd`, `user list`, `user app-password`, `auth test`, "
			"`auth who`, `auth unblock`");
	if (strcmp(word, "version") == 0) {
		puts("gatepost " GATEPOST_VERSION);
		return 0;
	}
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
