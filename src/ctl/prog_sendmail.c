/*
 * sendmail - give mail to the queue; as Postfix's program of that name, and as mailq and newaliases. sendmail(1)
 *
 * It has no privileges. The message goes to smtpd over public/submit, where the kernel tells who we are; while nobody
 * takes it there it is kept in maildrop.
 */
#include "base/utf8.h"
#include "conf/conf.h"
#include "ctl/compose.h"
#include "ctl/header_addr.h"
#include "ctl/instance_conf.h"
#include "ctl/sendmail.h"
#include "ctl/sendmail_envelope.h"
#include "ctl/submit.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum mode { MODE_ENQUEUE, MODE_SESSION, MODE_MAILQ, MODE_FLUSH, MODE_ALIASES, MODE_DAEMON, MODE_VERIFY, MODE_NOTHING };
enum { MIB = 1024 * 1024 };

static struct options {
	enum mode mode;
	const char *program, *dir, *full_name, *sender, *site, *id, *aliases;
	struct envelope_options envelope;
	bool extract, dot_is_text, gateway, verbose, verp;
} opt = { .program = "sendmail" };

_Noreturn static void die(int code, const char *what, const char *why)
{
	fprintf(stderr, "%s: fatal: %s%s%s\n", opt.program, what, *why ? ": " : "", why);
	exit(code);
}

_Noreturn static void usage(void)
{
	fprintf(stderr,
		"usage: sendmail [-bs|-bp|-bi|-bv|-bm|-bd] [-t] [-i] [-f sender] [-F name] [-B body] [-N dsn] [-R "
		"hdrs|full]\n"
		"       [-V envid] [-C config_directory] [-q|-qIid|-qRsite] [-Giv] [recipient...]\n");
	exit(EX_USAGE);
}

/* ---- options ---- */

static void take_mode(char which)
{
	static const struct {
		char letter;
		enum mode mode;
	} modes[] = { { 'd', MODE_DAEMON }, { 'l', MODE_DAEMON }, { 'h', MODE_NOTHING }, { 'H', MODE_NOTHING },
		{ 'i', MODE_ALIASES }, { 'm', MODE_ENQUEUE }, { 'p', MODE_MAILQ }, { 's', MODE_SESSION },
		{ 'v', MODE_VERIFY } };

	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (modes[i].letter == which) {
			opt.mode = modes[i].mode;
			return;
		}
	fprintf(stderr, "%s: fatal: unsupported: -b%c\n", opt.program, which);
	exit(EX_USAGE);
}

/* arg: what stands behind the q, or NULL */
static void take_queue_option(const char *arg)
{
	if (arg == NULL) {
		opt.mode = opt.mode == MODE_DAEMON ? MODE_DAEMON : MODE_FLUSH;
		return;
	}
	if (ascii_is_digit(*arg)) { /* how often a daemon looks: queued knows by itself */
		if (opt.mode == MODE_ENQUEUE)
			opt.mode = MODE_DAEMON;
		return;
	}
	if (*arg == 'R' && arg[1])
		opt.site = arg + 1;
	else if (*arg == 'I' && arg[1])
		opt.id = arg + 1;
	else
		die(EX_USAGE, "that form of -q is not implemented", "use -q, -qIqueueid or -qRsite");
	opt.mode = MODE_FLUSH;
}

static void take_old_option(const char *arg)
{
	if (*arg == 'i')
		opt.dot_is_text = true;
	else if (*arg == 'A' && arg[1])
		opt.aliases = arg + 1;
	else if (*arg == '7' || *arg == '8')
		opt.envelope.body = *arg == '7' ? "7BIT" : "8BITMIME";
}

/* -C: the directory, or a file in it. */
static void take_config(const char *arg)
{
	struct stat st;
	char *slash;

	if (stat(arg, &st) == 0 && !S_ISDIR(st.st_mode)) {
		char *copy = xstrdup(arg);

		slash = strrchr(copy, '/');
		if (slash)
			*slash = '\0';
		opt.dir = slash ? copy : ".";
		return;
	}
	opt.dir = arg;
}

/* What can be no value of the option is worth a word; the message is worth more (as Postfix has it). */
static const char *checked(int letter, const char *value)
{
	const char *fault = envelope_option_fault(letter, value);

	if (fault)
		fprintf(stderr, "%s: warning: bad -%c option value \"%s\" -- ignored; %s\n", opt.program, letter, value,
			fault);
	return fault ? NULL : value;
}

/* Unlike a word for a report, it says how the content is to be handled. */
static void take_body(const char *arg)
{
	const char *fault = envelope_option_fault('B', arg);

	if (fault)
		die(EX_USAGE, "bad -B option value", fault);
	opt.envelope.body = arg;
}

/* -XV, and its delimiters where they are given. Another X is a file for a log of the session, which there is not. */
static void take_verp(const char *arg)
{
	if (*arg != 'V')
		return;
	opt.verp = true;
	opt.envelope.verp = arg[1] ? arg + 1 : NULL;
}

static void take_option(int letter, const char *arg)
{
	switch (letter) {
	case 'b':
		take_mode(*arg);
		break;
	case 'B':
		take_body(arg);
		break;
	case 'C':
		take_config(arg);
		break;
	case 'F':
		opt.full_name = arg;
		break;
	case 'f':
	case 'r':
		opt.sender = arg;
		break;
	case 'G':
		opt.gateway = true;
		break;
	case 'I':
		opt.mode = MODE_ALIASES;
		break;
	case 'i':
		opt.dot_is_text = true;
		break;
	case 'N':
		opt.envelope.notify = checked(letter, arg) ? envelope_notify(arg) : NULL;
		break;
	case 'o':
		take_old_option(arg);
		break;
	case 'q':
		take_queue_option(arg);
		break;
	case 'R':
		opt.envelope.ret = checked(letter, arg);
		break;
	case 't':
		opt.extract = true;
		break;
	case 'V':
		opt.envelope.envid = checked(letter, arg);
		break;
	case 'v':
		opt.verbose = true;
		break;
	case 'X':
		take_verp(arg);
		break;
	case '?':
		usage();
	default: /* -A -c -E -e -h -L -m -n -O -p -U -x: nothing to be done for them here */
		break;
	}
}

static void read_options(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	int letter;

	name = name ? name + 1 : argv[0];
	if (strcmp(name, "mailq") == 0)
		opt.mode = MODE_MAILQ;
	else if (strcmp(name, "newaliases") == 0)
		opt.mode = MODE_ALIASES;
	/* Behind the first recipient there are no options: who lets strangers name recipients lets them name no options. */
	while ((letter = getopt(argc, argv, "+A:B:C:EF:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q::tvx")) >= 0)
		take_option(letter, optarg);
	if (opt.extract && opt.mode != MODE_ENQUEUE)
		die(EX_USAGE, "-t can be used only where a message is read", "not with -b and -q");
}

/* ---- other programs of ours ---- */

/* Beside this one. */
_Noreturn static void run(const char *program, const char *called, char *const *args)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
	char *all[32] = { (char *)(uintptr_t)called };
	size_t k = 1;

	path[n > 0 ? n : 0] = '\0';
	if (strrchr(path, '/') == NULL)
		die(EX_OSERR, "/proc is not there", "");
	snprintf(strrchr(path, '/') + 1, 64, "%s", program);
	if (opt.dir) {
		all[k++] = (char *)(uintptr_t) "-c";
		all[k++] = (char *)(uintptr_t)opt.dir;
	}
	while (*args && k < sizeof all / sizeof *all - 1)
		all[k++] = *args++;
	execv(path, all);
	die(EX_UNAVAILABLE, path, strerror(errno));
}

_Noreturn static void run_one(const char *program, const char *option, const char *value)
{
	char *args[] = { (char *)(uintptr_t)option, (char *)(uintptr_t)value, NULL };

	run(program, program, args);
}

_Noreturn static void rebuild_aliases(const struct conf *conf)
{
	struct str rest = str_c(opt.aliases ? opt.aliases : conf_str(conf_main(conf), "alias_database")), word;
	char *args[24];
	size_t n = 0;

	while (str_word(&rest, ", \t\r\n", &word) && n < sizeof args / sizeof *args - 1)
		args[n++] = xstrndup(word);
	args[n] = NULL;
	if (n == 0)
		die(EX_CONFIG, "alias_database is empty: there is nothing to build", "");
	run("postmap", "postalias", args);
}

/* ---- the message ---- */

static struct conf *open_conf(void)
{
	struct conf *conf = instance_conf(opt.program, opt.dir);

	if (conf == NULL)
		exit(EX_CONFIG);
	return conf;
}

static void enter_queue(const struct conf *conf)
{
	const char *dir = conf_str(conf_main(conf), "queue_directory");

	if (chdir(dir) != 0)
		die(EX_TEMPFAIL, dir, strerror(errno));
}

/* Standard input to its end, or to a line with a dot alone. */
static void read_message(struct buf *text, uint64_t limit)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		if (!opt.dot_is_text && line[0] == '.' && (n == 1 || line[1] == '\n' || strcmp(line, ".\r\n") == 0))
			break;
		if (limit > 0 && text->n + (size_t)n > limit)
			die(EX_UNAVAILABLE, "message file too big", "");
		if (buf_add(text, line, (size_t)n) != 0)
			die(EX_UNAVAILABLE, "message file too big", "");
	}
	if (ferror(stdin))
		die(EX_DATAERR, "error reading input", strerror(errno));
	free(line);
}

static const char *login_name(void)
{
	const struct passwd *pw = getpwuid(getuid());

	if (pw == NULL)
		die(EX_OSERR, "there is no account with your uid; name the sender with -f", "");
	return pw->pw_name;
}

/* What stands before the first comma of the account's name field; & is the account's name. */
static void full_name(struct buf *out)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *name = opt.full_name ? opt.full_name : getenv("NAME");

	if (name) {
		buf_add_c(out, name);
		return;
	}
	for (const char *p = pw ? pw->pw_gecos : ""; *p && *p != ',' && *p != ';' && *p != '%'; p++) {
		if (*p != '&') {
			buf_add_char(out, *p);
		} else if (pw) {
			buf_add_c(out, pw->pw_name);
		}
	}
}

/* postconf(5): default_verp_delimiters, verp_delimiter_filter. */
static void set_verp(const struct conf_view *v, struct str sender)
{
	struct envelope_options *o = &opt.envelope;

	if (o->verp == NULL)
		o->verp = conf_str(v, "default_verp_delimiters");
	if (!envelope_verp_is_valid(o->verp, conf_str(v, "verp_delimiter_filter")))
		die(EX_USAGE, "-XV: two delimiters, each one of verp_delimiter_filter, are needed", o->verp);
	if (sender.n == 0)
		die(EX_USAGE, "-XV: the null sender has no form for each recipient", "name another one with -f");
}

/* Nothing is handed over before all of it is known to be good: who is told 65 may send it again. */
static int hand_over(struct str sender, struct str rcpts, struct str content)
{
	struct str bad;
	int code;

	if (envelope_has_fault(&opt.envelope, sender, rcpts, &bad)) {
		struct buf shown = BUF_INIT(1024);

		utf8_add_visible(&shown, str_sub(bad, 0, 200));
		die(EX_DATAERR, "an address with a control character in it, or too long; nothing was sent",
			shown.n ? shown.p : "");
	}
	code = sendmail_hand_over(opt.program, &opt.envelope, sender, rcpts, content);
	if (opt.verbose && code == EX_OK)
		printf("Mail Delivery Status Report will be mailed to <%.*s>.\n", STR_ARG(sender));
	return code; /* what is allocated goes with the process */
}

static int enqueue(const struct conf *conf, int n, char **rcpt)
{
	const struct conf_view *v = conf_main(conf);
	uint64_t limit = (uint64_t)conf_int(v, "message_size_limit");
	size_t max = limit ? (size_t)limit : (size_t)1024 * MIB;
	struct buf typed = BUF_INIT(max + MIB), sender = BUF_INIT(4096), name = BUF_INIT(1024);
	struct buf composed = BUF_INIT(2 * max + 16 * MIB), content = BUF_INIT(4 * max + 32 * MIB);
	struct compose c = { .extract = opt.extract,
		.leave = opt.gateway,
		.origin = str_c(conf_str(v, "myorigin")),
		.rcpts = BUF_INIT(SIZE_MAX / 4) };

	if (n == 0 && !opt.extract)
		die(EX_USAGE, "Recipient addresses must be specified on the command line or via the -t option", "");
	header_addr_bare(opt.sender ? opt.sender : login_name(), &sender);
	if (opt.verp)
		set_verp(v, buf_str(&sender));
	full_name(&name);
	c.sender = buf_str(&sender);
	c.full_name = buf_str(&name);
	read_message(&typed, limit);
	compose(&c, buf_str(&typed), &composed);
	for (int i = 0; i < n; i++) {
		struct str rest = str_c(rcpt[i]), addr;

		while (header_addr_next(&rest, &addr)) {
			header_addr_clean(addr, &c.rcpts);
			buf_add_char(&c.rcpts, '\n');
		}
	}
	if (c.rcpts.n == 0)
		die(EX_USAGE, "No recipient addresses found in message header", "");
	opt.envelope.origin = c.origin;
	if (opt.envelope.notify == NULL && opt.verbose)
		opt.envelope.notify = "SUCCESS,FAILURE,DELAY";
	submit_content(&content, buf_str(&composed));
	enter_queue(conf);
	return hand_over(buf_str(&sender), str_trim(buf_str(&c.rcpts)), buf_str(&content));
}

/* ---- -bs, -bv ---- */

static int connect_now(const struct conf *conf)
{
	int fd;

	enter_queue(conf);
	fd = submit_connect();
	if (fd < 0)
		die(EX_TEMPFAIL, "the mail system is down", strerror(errno));
	return fd;
}

static int session(const struct conf *conf)
{
	const struct conf_view *v = conf_main(conf);
	int fd, code;

	enter_queue(conf);
	fd = submit_connect();
	if (fd >= 0)
		return sendmail_session(fd);
	code = sendmail_away(conf_str(v, "myhostname"), (uint64_t)conf_int(v, "message_size_limit"));
	if (code != EX_OK)
		die(code, "the mail system is down, and nothing can be kept in maildrop", "");
	return EX_OK;
}

int main(int argc, char **argv)
{
	struct conf *conf;

	read_options(argc, argv);
	argc -= optind;
	argv += optind;
	switch (opt.mode) {
	case MODE_NOTHING:
		return EX_OK;
	case MODE_MAILQ:
		run_one("postqueue", "-p", NULL);
	case MODE_DAEMON:
		run_one("gatepost", "start", NULL);
	case MODE_FLUSH:
		if (opt.site)
			run_one("postqueue", "-s", opt.site);
		run_one("postqueue", opt.id ? "-i" : "-f", opt.id);
	default:
		break;
	}
	conf = open_conf();
	if (opt.mode == MODE_ALIASES)
		rebuild_aliases(conf);
	if (opt.mode == MODE_SESSION)
		return session(conf);
	if (opt.mode != MODE_VERIFY)
		return enqueue(conf, argc, argv);
	if (argc == 0)
		die(EX_USAGE, "Recipient addresses must be specified on the command line", "");
	return sendmail_verify(connect_now(conf), argc, argv);
}
