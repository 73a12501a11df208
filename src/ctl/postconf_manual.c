/* postconf_manual.c - the table of parameters and the table of extensions, each as the body of a manual page (man macros). */
#include "ctl/postconf.h"
#include "smtp/esmtp.h"
#include <stdio.h>

/* Text where roff would see a request or an escape. */
static void put_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

static const char *type_text(const struct param *p)
{
	switch (p->type) {
	case PARAM_BOOL:
		return "yes or no";
	case PARAM_INT:
		return "number";
	case PARAM_OCTETS:
		return "octets";
	case PARAM_TIME:
		return "time";
	case PARAM_LIST:
		return "list";
	case PARAM_ENUM:
		return "word";
	case PARAM_LEVEL:
		return "compatibility level";
	case PARAM_RAW:
		return "text, not expanded";
	default:
		return "text";
	}
}

static void put_words(const struct param *p)
{
	struct str rest = str_c(p->words), word;
	bool first = true;

	fputs(" One of: ", stdout);
	while (str_field(&rest, "|", &word)) {
		if (word.n)
			printf("%s%.*s", first ? "" : ", ", STR_ARG(word));
		first = first && word.n == 0;
	}
	putchar('.');
}

/* Defaults that are found out at run time (conf/computed.c). */
static const char *default_text(const struct param *p)
{
	static const struct {
		const char *name, *text;
	} computed[] = {
		{ "command_directory", "where this program is" },
		{ "config_directory", "/etc/gatepost, or the directory that was given" },
		{ "daemon_directory", "../libexec/gatepost beside command_directory, or command_directory" },
		{ "mail_version", "that of the program" },
		{ "mydomain", "what follows the first dot of myhostname" },
		{ "myhostname", "the name of the machine, .localdomain appended if it has no dot" },
		{ "mynetworks", "this machine's addresses or networks, as mynetworks_style says" },
		{ "process_id", "that number" },
		{ "process_name", "that name" },
		{ "service_name", "the first column of its row in master.cf" },
	};

	for (size_t i = 0; i < sizeof(computed) / sizeof(computed[0]); i++)
		if (strcmp(computed[i].name, p->name) == 0)
			return computed[i].text;
	return p->initial[0] ? p->initial : "empty";
}

static void put_param(const struct param *p)
{
	fputs(".TP\n\\fB", stdout);
	put_text(p->name);
	fputs("\\fR (default: ", stdout);
	put_text(default_text(p));
	fputs(")\n", stdout);
	put_text(p->meaning);
	printf("; %s.", type_text(p));
	if (p->type == PARAM_ENUM)
		put_words(p);
	if (p->type == PARAM_STRING && p->min > 0)
		fputs(" Not empty.", stdout);
	else if (p->min > 0)
		printf(" At least %lld.", (long long)p->min);
	if (p->max > 0)
		printf(" At most %lld.", (long long)p->max);
	putchar('\n');
}

void postconf_manual(void)
{
	const struct param *const *rows;
	size_t n = params_all(&rows);

	puts(".SH PARAMETERS THAT GATEPOST ACTS ON");
	for (size_t i = 0; i < n; i++)
		if (rows[i]->acts & ACTS)
			put_param(rows[i]);
	puts(".SH PARAMETERS OF POSTFIX THAT ARE KNOWN ONLY\nThey may stand in main.cf, are checked and shown, and "
	     "change "
	     "nothing.");
	for (size_t i = 0; i < n; i++)
		if (!(rows[i]->acts & ACTS))
			put_param(rows[i]);
	puts(".SH PARAMETERS PER DELIVERY SERVICE\nEach of these exists once for every delivery service of master.cf, "
	     "with "
	     "the service's name in front.");
	for (const struct param_suffix *s = param_suffixes(); s->suffix; s++) {
		fputs(".TP\n\\fISERVICE\\fB", stdout);
		put_text(s->suffix);
		fputs("\\fR (default: $", stdout);
		put_text(s->follows);
		fputs(")\nThe same for one service.\n", stdout);
	}
}

void postconf_manual_esmtp(void)
{
	struct buf text = BUF_INIT(256 * 1024);

	esmtp_manual(&text);
	fwrite(text.p, 1, text.n, stdout);
	buf_free(&text);
}
