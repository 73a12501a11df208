/*
 * postmap - make, change and ask lookup tables; as Postfix's program of that name. Called "postalias", it reads the
 * text of aliases(5). Manual: man/postmap.1.
 */
#include "base/log.h"
#include "ctl/instance_conf.h"
#include "map/map_text.h"
#include "map/table_sql.h"
#include "sasl/base64.h"
#include "sql/sql.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum act { ACT_MAKE, ACT_ADD, ACT_QUERY, ACT_DELETE, ACT_LIST };

static struct options {
	enum act act;
	const char *program, *config_directory, *key;
	bool aliases, verbose;
	struct lmdb_write write;
} opt = { .write = { .keep_owner = true } };

static void warn(const char *line)
{
	fprintf(stderr, "%s: warning: %s\n", opt.program, line);
}

_Noreturn static void die(const char *text)
{
	fprintf(stderr, "%s: fatal: %s\n", opt.program, text);
	exit(1);
}

_Noreturn static void usage(void)
{
	fprintf(stderr, "usage: %s [-FNfinoprsuvwU] [-c config_dir] [-d key] [-q key] [file_type:]file_name...\n",
		opt.program);
	exit(1);
}

static void show_notices(struct table_set *set)
{
	struct buf lines = BUF_INIT(1 << 20);
	struct str rest, line;

	table_set_notices(set, &lines);
	rest = buf_str(&lines);
	while (str_word(&rest, "\n", &line))
		fprintf(stderr, "%s: warning: %.*s\n", opt.program, STR_ARG(line));
	buf_free(&lines);
}

/* Only a userdb table needs it: its socket is relative to queue_directory. So where there is no main.cf, it is "". */
static char *queue_directory(void)
{
	bool is_named = opt.config_directory || getenv("MAIL_CONFIG");
	struct conf *conf;
	char *value;

	if (!is_named && access("/etc/gatepost/main.cf", F_OK) != 0)
		return xstrdup("");
	conf = instance_conf(opt.program, opt.config_directory);
	if (conf == NULL)
		exit(1);
	value = xstrdup(conf_str(conf_main(conf), "queue_directory"));
	conf_free(&conf);
	return value;
}

/* All of the standard input, or of a file. */
static void slurp(FILE *f, const char *name, struct buf *text)
{
	char *at;

	while (f && !feof(f) && !ferror(f)) {
		at = buf_reserve(text, 65536);
		if (at == NULL)
			die("the input is too large");
		buf_commit(text, fread(at, 1, 65536, f));
	}
	if (f == NULL || ferror(f)) {
		fprintf(stderr, "%s: fatal: open %s: %s\n", opt.program, name, strerror(errno));
		exit(1);
	}
}

/* -F: the value names files; what is in them is stored, one behind the other, in base64. */
static bool files_in_base64(struct str value, struct buf *stored)
{
	struct buf content = BUF_INIT(TABLE_VALUE_MAX);
	struct str word;

	while (str_word(&value, ", \t\r\n", &word)) {
		char *path = xstrndup(word);
		FILE *f = fopen(path, "re");

		slurp(f, path, &content);
		fclose(f);
		free(path);
	}
	if (base64_encode(stored, buf_str(&content)) != 0 || stored->n > TABLE_VALUE_MAX)
		die("the files of a value are too large");
	buf_wipe(&content);
	return true;
}

static bool is_index(const struct table *t)
{
	return t->type == &table_hash || t->type == &table_btree || t->type == &table_lmdb;
}

static void make(struct table *t)
{
	struct buf text = BUF_INIT(TABLE_FILE_MAX), why = BUF_INIT(TABLE_WHY_MAX);
	struct lmdb_write how = opt.write;

	if (!is_index(t)) {
		fprintf(stderr, "%s: fatal: %s: a table of this type is read as it is, and needs no %s\n", opt.program,
			t->spec, opt.program);
		exit(1);
	}
	how.how = opt.act == ACT_ADD ? LMDB_ADD : LMDB_NEW;
	how.aliases = opt.aliases;
	how.warn = warn;
	if (opt.act == ACT_ADD) {
		slurp(stdin, "standard input", &text);
	} else {
		FILE *f = fopen(t->name, "re");

		slurp(f, t->name, &text);
		fclose(f);
	}
	if (table_lmdb_write(t->name, buf_str(&text), &how, &why) != 0)
		die(why.p);
	buf_free(&text);
	buf_free(&why);
}

/* What -F stored, as it was in the files. */
static void decode(struct buf *value)
{
	struct buf plain = BUF_INIT(TABLE_VALUE_MAX);

	if (base64_decode(&plain, buf_str(value)) != 0)
		die("the value was not stored with -F: it is no base64");
	buf_wipe(value);
	*value = plain;
}

/* 1: found and shown, 0: not found. */
static int query(struct table *t, struct str key, bool show_key)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX), why = BUF_INIT(TABLE_WHY_MAX);
	enum map_status status = table_find(t, key, &value, &why);

	if (status == MAP_FOUND && opt.write.value_of)
		decode(&value);

	show_notices(t->set);
	if (status == MAP_TEMPORARY)
		die(why.p);
	if (status == MAP_FOUND && show_key)
		printf("%.*s\t", STR_ARG(key));
	if (status == MAP_FOUND)
		printf("%.*s\n", STR_ARG(buf_str(&value)));
	buf_free(&value);
	buf_free(&why);
	return status == MAP_FOUND;
}

static int delete (struct table *t, struct str key)
{
	struct buf why = BUF_INIT(TABLE_WHY_MAX), folded = BUF_INIT(TABLE_KEY_MAX);
	int r;

	if (!is_index(t))
		die("only hash, btree and lmdb tables can be changed");
	for (size_t i = 0; i < key.n; i++)
		buf_add_char(&folded, t->keep_case ? key.p[i] : ascii_lower(key.p[i]));
	r = table_lmdb_delete(t->name, buf_str(&folded), &why);
	if (r < 0)
		die(why.p);
	buf_free(&why);
	buf_free(&folded);
	return r;
}

static int one_key(struct table *t, struct str key, bool show_key)
{
	return opt.act == ACT_QUERY ? query(t, key, show_key) : delete (t, key);
}

/* The key of the command line, or ("-") those of the standard input. Returns how many there were. */
static int keys(struct table *t)
{
	struct buf text = BUF_INIT(TABLE_FILE_MAX);
	struct str rest, key;
	int n = 0;

	if (strcmp(opt.key, "-") != 0)
		return one_key(t, str_c(opt.key), false);
	slurp(stdin, "standard input", &text);
	rest = buf_str(&text);
	while (str_word(&rest, "\n", &key))
		n += one_key(t, key, true);
	buf_free(&text);
	return n;
}

static bool show_entry(struct table_walk *w, struct str key, struct str value)
{
	(void)w;
	printf("%.*s%s\t%.*s\n", STR_ARG(key), opt.aliases ? ":" : "", STR_ARG(value));
	return true;
}

static void list(struct table *t)
{
	struct buf why = BUF_INIT(TABLE_WHY_MAX);
	struct table_walk w = { show_entry };

	if (table_walk_all(t, &w, &why) == MAP_TEMPORARY)
		die(why.p);
	show_notices(t->set);
	buf_free(&why);
}

static void take_key(enum act act)
{
	if (opt.act != ACT_MAKE)
		usage();
	opt.act = act;
	opt.key = optarg;
}

static void parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "FNUc:d:finopq:rsuvw")) >= 0) {
		switch (c) {
		case 'c':
			opt.config_directory = optarg;
			break;
		case 'd':
			take_key(ACT_DELETE);
			break;
		case 'q':
			take_key(ACT_QUERY);
			break;
		case 'i':
			take_key(ACT_ADD);
			break;
		case 's':
			take_key(ACT_LIST);
			break;
		case 'F':
			opt.write.value_of = files_in_base64;
			break;
		case 'f':
			opt.write.keep_case = true;
			break;
		case 'p':
			opt.write.keep_owner = false;
			break;
		case 'r':
			opt.write.replace = true;
			break;
		case 'w':
			opt.write.quiet_duplicates = true;
			break;
		case 'v':
			opt.verbose = true;
			break;
		case 'N': /* a NUL behind keys and values is what we always write, and both are read */
		case 'n':
		case 'o': /* root is not given up */
		case 'u': /* keys are octets */
		case 'U':
			break;
		default:
			usage();
		}
	}
}

/* "type:name", or a name of the default type. */
static struct table *table_of_argument(struct table_set *set, const char *argument)
{
	struct buf spec = BUF_INIT(TABLE_VALUE_MAX);
	struct table *t;

	buf_addf(&spec, "%s%s", table_is_spec(str_c(argument)) ? "" : "hash:", argument);
	t = table_get(set, buf_str(&spec));
	t->keep_case = opt.write.keep_case;
	buf_free(&spec);
	return t;
}

int main(int argc, char **argv)
{
	struct table_set *set;
	bool asked, found = false;
	char *queue;

	opt.program = basename(argv[0]);
	opt.aliases = strcmp(opt.program, "postalias") == 0;
	parse_options(argc, argv);
	if (optind >= argc)
		usage();
	log_verbose(opt.verbose);
	queue = queue_directory();
	set = table_set_new(TABLES_ALL, queue);
	table_sql_drivers(sql_driver_find);
	asked = opt.act == ACT_QUERY || opt.act == ACT_DELETE;
	/* A question goes from table to table until one has the key. */
	for (int i = optind; i < argc && !(found && opt.act == ACT_QUERY); i++) {
		struct table *t = table_of_argument(set, argv[i]);

		if (asked)
			found |= keys(t) > 0;
		else if (opt.act == ACT_LIST)
			list(t);
		else
			make(t);
	}
	table_set_free(&set);
	free(queue);
	return fflush(stdout) != 0 || (asked && !found);
}
