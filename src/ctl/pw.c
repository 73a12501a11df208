/* `gatepost pw`: stored passwords made and checked, as `doveadm pw` does it. */
#include "auth/password.h"
#include "base/arena.h"
#include "base/log.h"
#include "ctl/prompt.h"
#include "ctl/user.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_WRONG = 75 };

struct options {
	const char *scheme, *hash, *user, *plain;
	uint64_t rounds;
	bool lists, verifies;
};

static int complain(const char *what)
{
	fprintf(stderr, "gatepost: pw: %s\n", what);
	return 2;
}

static int list(void)
{
	for (size_t i = 0; password_scheme_name(i); i++)
		printf("%s%s", i ? " " : "", password_scheme_name(i));
	putchar('\n');
	return 0;
}

/* A line of standard input; a terminal shows nothing meanwhile. False: there is none. */
static bool read_line(const char *question, struct buf *out)
{
	struct prompt prompt;
	int c;

	prompt_begin(&prompt, question);
	while ((c = getchar()) != EOF && c != '\n')
		buf_add_char(out, (char)c);
	prompt_end(&prompt);
	if (out->n && out->p[out->n - 1] == '\r')
		out->n--;
	return c != EOF || out->n > 0;
}

static bool ask(const struct options *o, struct buf *plain)
{
	struct buf again = BUF_INIT(PASSWORD_MAX + 1);
	bool same = true;

	if (o->plain) {
		buf_add_c(plain, o->plain);
		return true;
	}
	if (!read_line(o->hash ? "Enter password to verify: " : "Enter new password: ", plain)) {
		fputs("gatepost: pw: no password; it is one line of standard input, or -p\n", stderr);
		return false;
	}
	/* Nobody sees what he types: twice is safer. */
	if (o->hash == NULL && isatty(STDIN_FILENO))
		same = read_line("Retype new password: ", &again) && str_eq(buf_str(plain), buf_str(&again));
	buf_wipe(&again);
	if (!same)
		fputs("gatepost: pw: the passwords are not the same\n", stderr);
	return same;
}

static int verify(const struct options *o, struct str stored, struct str plain)
{
	int r = password_verify_user(stored, STR("CRYPT"), str_c(o->user), plain, true);

	if (r == 1) {
		printf("%.*s (verified)\n", STR_ARG(stored));
		return 0;
	}
	fprintf(stderr, "gatepost: pw: %s\n", r == 0 ? "password mismatch" : password_err_text(r));
	return EXIT_WRONG;
}

static int make(const struct options *o, struct str plain)
{
	struct buf made = BUF_INIT(65536);
	int r = password_make_for(str_c(o->scheme), str_c(o->user), plain, (unsigned)o->rounds, &made);

	if (r < 0)
		r = complain(password_err_text(r));
	else if (o->verifies)
		r = verify(o, buf_str(&made), plain);
	else
		printf("%.*s\n", STR_ARG(buf_str(&made)));
	buf_wipe(&made);
	return r;
}

static int read_options(int argc, char **argv, struct options *o)
{
	int option;

	while ((option = getopt(argc, argv, "+ls:p:r:t:u:V")) != -1)
		switch (option) {
		case 'l':
			o->lists = true;
			break;
		case 's':
			o->scheme = optarg;
			break;
		case 'p':
			o->plain = optarg;
			break;
		case 'r':
			if (!str_u64(str_c(optarg), &o->rounds) || o->rounds == 0 || o->rounds > 999999999)
				return complain("-r should be a number");
			break;
		case 't':
			o->hash = optarg;
			break;
		case 'u':
			o->user = optarg;
			break;
		case 'V':
			o->verifies = true;
			break;
		default:
			return complain(
				"usage: gatepost pw -l | [-s SCHEME] [-r ROUNDS] [-u USER] [-p PASSWORD] [-V] | "
				"-t HASH [-u USER] [-p PASSWORD]");
		}
	if (optind < argc)
		return complain("it takes no arguments but its options");
	return o->hash && o->rounds ? complain("-t checks what is there: -r has no place beside it") : 0;
}

int ctl_pw(int argc, char **argv)
{
	struct options o = { .scheme = "CRYPT" };
	struct buf plain = BUF_INIT(PASSWORD_MAX + 1);
	int r = read_options(argc, argv, &o);

	password_load();
	if (r == 0 && o.lists)
		return list();
	if (r == 0 && !ask(&o, &plain))
		r = 1;
	else if (r == 0)
		r = o.hash ? verify(&o, str_c(o.hash), buf_str(&plain)) : make(&o, buf_str(&plain));
	buf_wipe(&plain);
	return r;
}
