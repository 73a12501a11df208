#include "ctl/check.h"
#include "ctl/gatepost.h"
#include "base/log.h"
#include "conf/params.h"
#include "tls/held.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct conf *ctl_conf(const char *config_directory)
{
	struct buf errors = BUF_INIT(1 << 20);
	struct conf *conf = conf_load(config_directory, &errors, NULL);

	if (conf == NULL)
		fprintf(stderr, "%s", errors.p ? errors.p : "gatepost: the configuration cannot be read\n");
	buf_free(&errors);
	return conf;
}

static unsigned check_accounts(const struct conf_view *v, struct buf *lines)
{
	static const char *const owners[] = { "mail_owner", "auth_owner", "map_owner", "queue_owner", "relay_owner",
		"key_owner" };
	unsigned n = 0;

	for (size_t i = 0; geteuid() == 0 && i < sizeof owners / sizeof *owners; i++) {
		const char *name = conf_str(v, owners[i]);

		if (getpwnam(name) != NULL)
			continue;
		buf_addf(lines,
			"%s = %s: there is no such account; make it with `useradd --system --home-dir /nonexistent "
			"--shell "
			"/usr/sbin/nologin %s`, or name one that exists\n",
			owners[i], name, name);
		n++;
	}
	return n;
}

static void warn_of_other_auth(const struct conf_view *v, struct buf *warnings)
{
	const char *file = conf_str(v, "auth_conf_file"), *path = conf_str(v, "smtpd_sasl_path");
	bool is_below = *path != '/' && strncmp(path, "inet:", 5) != 0 && strncmp(path, "unix:/", 6) != 0;
	struct stat st;

	if (*file && stat(file, &st) == 0)
		return;
	buf_addf(warnings,
		*file ? "authd is not started: there is no %s" : "authd is not started: auth_conf_file is empty%s",
		file);
	buf_addf(warnings, "; smtpd will ask another service (Dovecot) at %s%s%s\n",
		is_below ? conf_str(v, "queue_directory") : "", is_below ? "/" : "", path);
}

static void warn_of_small_things(const struct conf_view *v, struct buf *warnings)
{
	if (conf_bool(v, "smtpd_sasl_auth_enable"))
		warn_of_other_auth(v, warnings);
	if (conf_bool(v, "smtpd_sasl_auth_enable") && strcmp(conf_str(v, "smtpd_sasl_type"), "dovecot") != 0)
		buf_addf(warnings,
			"smtpd_sasl_type = %s: Gatepost speaks Dovecot's protocol only; write smtpd_sasl_type = "
			"dovecot\n",
			conf_str(v, "smtpd_sasl_type"));
}

/*
 * What main.cf sets and Gatepost knows but does not act on: a filter that is not asked
 * is worth a line before anybody relies on it.
 */
static void warn_of_what_does_nothing(const struct conf *conf, struct buf *warnings)
{
	struct buf names = BUF_INIT(65536);
	const struct param *const *rows;
	size_t n = params_all(&rows);

	for (size_t i = 0; i < n; i++)
		if (rows[i]->acts == KNOWN && conf_is_set(conf_main(conf), rows[i]->name) && names.n < 2000)
			buf_addf(&names, "%s%s", names.n ? ", " : "", rows[i]->name);
	if (names.n)
		buf_addf(warnings, "%s/main.cf: these parameters are known, and have no effect in this version: %s\n",
			conf_dir(conf), names.p);
	buf_free(&names);
}

static unsigned check_service(const struct checked *whole, const struct conf *conf, const struct conf_service *s)
{
	struct checked c = *whole;
	bool is_server = strcmp(s->type, "inet") == 0 && strcmp(s->command, "smtpd") == 0;
	bool is_client = strcmp(s->type, "unix") == 0 && strcmp(s->command, "smtp") == 0;
	char where[8192];

	if (!is_server && !is_client)
		return 0;
	snprintf(where, sizeof where, "%s/master.cf, line %u: service %s", conf_dir(conf), s->line, s->name);
	c.where = where;
	c.view = s->view;
	c.service = s;
	return check_names(&c) + (is_server ? check_tls(&c) + check_restrictions(&c) : check_client(&c));
}

static unsigned end_record(struct buf *lines)
{
	struct tls_record record;

	if (tls_record_end(&record, lines) != 0)
		return 1;
	tls_record_free(&record);
	return 0;
}

static unsigned find_faults(const char *config_directory, struct buf *lines, struct buf *warnings, bool asks)
{
	struct conf *conf = conf_load(config_directory, lines, warnings);
	const struct conf_service *service;
	struct checked c = { .lines = lines, .warnings = warnings, .now = time(NULL), .is_strict = asks };
	unsigned faults = 0;
	char where[8192];
	size_t n;

	if (conf == NULL) {
		for (size_t i = 0; i < lines->n; i++)
			faults += lines->p[i] == '\n';
		return faults ? faults : 1;
	}
	c.mem = arena_new(4096);
	snprintf(where, sizeof where, "%s/main.cf", conf_dir(conf));
	c.where = where;
	c.view = c.main = conf_main(conf);
	faults += check_names(&c) + check_tables(&c) + check_restrictions(&c) + check_auth(&c, conf, asks);
	check_transports(&c, conf);
	check_times(&c);
	n = conf_services(conf, &service);
	/* As master will read them: tables of names once, and no more than it can pass on. */
	tls_record_begin(conf_bool(c.main, "smtpd_tls_key_process") ? TLS_RECORD_MAX : SIZE_MAX, NULL);
	for (size_t i = 0; i < n; i++)
		faults += check_service(&c, conf, &service[i]);
	faults += end_record(lines);
	faults += check_accounts(conf_main(conf), lines);
	warn_of_small_things(conf_main(conf), warnings);
	warn_of_what_does_nothing(conf, warnings);
	arena_free(&c.mem);
	conf_free(&conf);
	return faults;
}

unsigned ctl_faults(const char *config_directory, struct buf *lines, struct buf *warnings)
{
	return find_faults(config_directory, lines, warnings, false);
}

int ctl_check(const char *config_directory)
{
	struct buf lines = BUF_INIT(1 << 20), warnings = BUF_INIT(1 << 20);
	unsigned faults = find_faults(config_directory, &lines, &warnings, true);

	if (warnings.n)
		fprintf(stderr, "%s", warnings.p);
	if (faults)
		fprintf(stderr, "%s%u fault%s in %s\n", lines.p, faults, faults == 1 ? "" : "s", config_directory);
	else
		printf("%s: no faults\n", config_directory);
	buf_free(&lines);
	buf_free(&warnings);
	return faults ? 1 : 0;
}
