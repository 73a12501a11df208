#include "base/arena.h"
#include "ctl/cert.h"
#include "ctl/gatepost.h"
#include "ctl/user.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What `gatepost init` was told. */
struct plan {
	char *dir; /* absolute */
	const char *hostname, *relayhost;
	char computed_hostname[256];
	unsigned port[3];
	bool root;
	uid_t mail_uid; /* owner of the Maildirs */
	gid_t mail_gid;
};

enum { SMTP, SUBMISSION, SUBMISSIONS };

static const char *const account_names[] = { "gatepost", "gatepost-auth", "gatepost-map", "gatepost-queue",
	"gatepost-relay", "gatepost-key", "gatepost-mail" };

static int say(const char *what, const char *why)
{
	fprintf(stderr, "gatepost init: %s: %s\n", what, why);
	return -1;
}

static bool port_of(const char *text, unsigned *port)
{
	uint64_t n;

	if (!str_u64(str_c(text), &n) || n < 1 || n > 65535) {
		fprintf(stderr, "gatepost init: port %s: a number from 1 to 65535 is wanted\n", text);
		return false;
	}
	*port = (unsigned)n;
	return true;
}

static int parse(struct plan *p, int argc, char **argv)
{
	static const struct option options[] = { { "hostname", required_argument, NULL, 'h' },
		{ "smtp-port", required_argument, NULL, '0' }, { "submission-port", required_argument, NULL, '1' },
		{ "submissions-port", required_argument, NULL, '2' }, { "relayhost", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			p->hostname = optarg;
		else if (option == 'r')
			p->relayhost = optarg;
		else if (option < '0' || option > '2' || !port_of(optarg, &p->port[option - '0']))
			return -1;
	}
	if (optind != argc - 1) {
		fprintf(stderr, "gatepost init: one folder is wanted: gatepost init DIR [--hostname H] [--smtp-port N] "
				"[--submission-port N] [--submissions-port N] [--relayhost '[HOST]:N']\n");
		return -1;
	}
	p->dir = argv[optind];
	return 0;
}

static const char *default_hostname(struct plan *p)
{
	char name[200] = "localhost";

	gethostname(name, sizeof name - 1);
	snprintf(p->computed_hostname, sizeof p->computed_hostname, "%s%s", name,
		strchr(name, '.') ? "" : ".localdomain");
	return p->computed_hostname;
}

static int make_directory(const char *dir, const char *name, mode_t mode)
{
	char path[4096];

	snprintf(path, sizeof path, "%s%s%s", dir, name[0] ? "/" : "", name);
	if (mkdir(path, mode) != 0 && errno != EEXIST)
		return say(path, strerror(errno));
	chmod(path, mode);
	return 0;
}

static int write_file(const char *dir, const char *name, const struct buf *text, mode_t mode)
{
	char path[4096];
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return say(path,
			errno == EEXIST ? "there is one already; init makes new instances only" : strerror(errno));
	n = write(fd, text->p, text->n);
	if (n != (ssize_t)text->n || fsync(fd) != 0 || close(fd) != 0)
		return say(path, "cannot be written");
	return 0;
}

/* A system account per role, as a package would make them. */
static int make_accounts(struct plan *p)
{
	const struct passwd *pw;

	for (size_t i = 0; i < sizeof account_names / sizeof *account_names; i++) {
		char command[512];
		int status;

		if (getpwnam(account_names[i]))
			continue;
		snprintf(command, sizeof command,
			"useradd --system --user-group --home-dir /nonexistent --no-create-home --shell "
			"/usr/sbin/nologin %s",
			account_names[i]);
		status = system(command);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			return say(account_names[i], "the account cannot be made with useradd");
		printf("made the system account %s\n", account_names[i]);
	}
	pw = getpwnam("gatepost-mail");
	if (pw == NULL)
		return say("gatepost-mail", "there is no such account");
	p->mail_uid = pw->pw_uid;
	p->mail_gid = pw->pw_gid;
	return 0;
}

static void main_cf(const struct plan *p, struct buf *b)
{
	const char *dot = strchr(p->hostname, '.');
	const char *domain = dot && strchr(dot + 1, '.') ? dot + 1 : p->hostname;

	buf_addf(b,
		"# Gatepost's main.cf; the same names and rules as Postfix's. `postconf -d` shows every default, "
		"postconf(5)\n"
		"# says what each name means, `postconf name=value` changes one, `gatepost reload` takes it up.\n\n"
		"queue_directory = %s/spool\n"
		"# Leave this out to log to syslog.\nmaillog_file = %s/mail.log\n\n",
		p->dir, p->dir);
	buf_addf(b, "myhostname = %s\nmydomain = %s\nmyorigin = $mydomain\nmydestination = localhost\nalias_maps =\n\n",
		p->hostname, domain);
	buf_addf(b,
		"# Domains whose mail is delivered here. `gatepost user add` adds the domain of a new user.\n"
		"virtual_mailbox_domains = %s\n"
		"# Who exists there, is known by the authentication service (authd, or Dovecot's auth-userdb).\n"
		"virtual_mailbox_maps = userdb:private/auth-userdb\n"
		"smtpd_vrfy_name_maps = userdb:private/auth-userdb?name\n"
		"smtpd_rrvs_maps = userdb:private/auth-userdb?created\n"
		"virtual_mailbox_base = %s/mail\n",
		domain, p->dir);
	buf_addf(b,
		"# Mail for root (cron's) and postmaster wants somebody who reads it.\n"
		"#virtual_alias_maps = inline:{ root@%s=user1@%s, postmaster@%s=user1@%s }\n",
		domain, domain, domain, domain);
	if (p->root)
		buf_addf(b, "virtual_uid_maps = static:%d\nvirtual_gid_maps = static:%d\nvirtual_minimum_uid = %d\n",
			(int)p->mail_uid, (int)p->mail_gid, p->mail_uid < 100 ? (int)p->mail_uid : 100);
	buf_addf(b, "\n# All other mail goes to its own servers (MX)%s\nrelayhost =%s%s\n\n",
		p->relayhost ? ", but by way of this one." : "; or by way of one, for example [smtp.example.com]:587",
		p->relayhost ? " " : "", p->relayhost ? p->relayhost : "");
	buf_addf(b,
		"# Who may send to domains that are not ours.\n"
		"smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination\n\n"
		"smtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth\nsmtpd_sasl_auth_enable = yes\n"
		"# What a user may send in an hour: an account whose password was stolen stops by itself. See "
		"smtpd(8).\n"
		"#smtpd_sasl_message_rate_limit = 500\n#smtpd_sasl_recipient_rate_limit = 2000\n\n"
		"# Self-signed: put the files of a real certificate here.\n"
		"smtpd_tls_cert_file = %s/tls/cert.pem\nsmtpd_tls_key_file = %s/tls/key.pem\n"
		"smtpd_tls_security_level = may\nsmtpd_tls_auth_only = yes\nsmtpd_tls_received_header = "
		"yes\nsmtp_tls_security_level = may\n",
		p->dir, p->dir);
}

static void master_cf(const struct plan *p, struct buf *b)
{
	buf_addf(b,
		"# Gatepost's master.cf; the form of Postfix's. A row of type inet with the command smtpd is a port.\n"
		"# service type  private unpriv  chroot  wakeup  maxproc command\n"
		"%-8u  inet  n       -       y       -       -       smtpd\n"
		"%-8u  inet  n       -       y       -       -       smtpd\n"
		"  -o syslog_name=postfix/submission\n"
		"  -o smtpd_tls_security_level=encrypt\n"
		"  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n"
		"  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n"
		"%-8u  inet  n       -       y       -       -       smtpd\n"
		"  -o syslog_name=postfix/submissions\n"
		"  -o smtpd_tls_wrappermode=yes\n"
		"  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n"
		"  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n"
		"# Delivery agents: a row here lets transport_maps and *_transport name a service with its own -o.\n"
		"smtp      unix  -       -       y       -       -       smtp\n"
		"relay     unix  -       -       y       -       -       smtp\n"
		"virtual   unix  -       n       n       -       -       virtual\n"
		"local     unix  -       n       n       -       -       local\n"
		"lmtp      unix  -       -       y       -       -       lmtp\n"
		"error     unix  -       -       y       -       -       error\n"
		"discard   unix  -       -       y       -       -       discard\n",
		p->port[SMTP], p->port[SUBMISSION], p->port[SUBMISSIONS]);
}

static int make_directories(const struct plan *p)
{
	char path[4096];

	if (make_directory(p->dir, "", 0755) != 0 || make_directory(p->dir, "etc", 0755) != 0 ||
		make_directory(p->dir, "spool", 0755) != 0 || make_directory(p->dir, "data", 0755) != 0 ||
		make_directory(p->dir, "tls", 0755) != 0 || make_directory(p->dir, "mail", 0755) != 0)
		return -1;
	snprintf(path, sizeof path, "%s/mail", p->dir);
	if (p->root && chown(path, p->mail_uid, p->mail_gid) != 0)
		return say(path, strerror(errno));
	return 0;
}

static int make_tls(const struct plan *p)
{
	struct buf error = BUF_INIT(4096);
	char cert[4096], key[4096];
	int r;

	snprintf(cert, sizeof cert, "%s/tls/cert.pem", p->dir);
	snprintf(key, sizeof key, "%s/tls/key.pem", p->dir);
	r = cert_self_signed(p->hostname, cert, key, &error);
	if (r != 0)
		say("TLS", error.p);
	buf_free(&error);
	return r;
}

static int make_configuration(const struct plan *p)
{
	struct buf text = BUF_INIT(65536);
	char etc[4096], data[4096], spool[4096];
	int r;

	snprintf(etc, sizeof etc, "%s/etc", p->dir);
	snprintf(data, sizeof data, "%s/data", p->dir);
	snprintf(spool, sizeof spool, "%s/spool", p->dir);
	main_cf(p, &text);
	r = write_file(etc, "main.cf", &text, 0644);
	buf_reset(&text);
	master_cf(p, &text);
	if (r == 0)
		r = write_file(etc, "master.cf", &text, 0644);
	buf_free(&text);
	if (r == 0)
		r = ctl_write_auth_conf(etc, data, spool, p->root ? "gatepost" : NULL, p->root ? "gatepost" : NULL);
	return r;
}

static int make_users_db(const struct plan *p)
{
	char etc[4096], path[4096];
	struct conf *conf;
	int r;

	snprintf(etc, sizeof etc, "%s/etc", p->dir);
	conf = ctl_conf(etc);
	if (conf == NULL)
		return -1;
	r = ctl_create_users_db(conf);
	conf_free(&conf);
	if (r == 0 && p->root) {
		const struct passwd *pw = getpwnam("gatepost-auth");

		snprintf(path, sizeof path, "%s/data", p->dir);
		if (pw == NULL || chown(path, pw->pw_uid, pw->pw_gid) != 0 || chmod(path, 0700) != 0)
			return say(path, strerror(errno));
	}
	return r;
}

int ctl_init(int argc, char **argv)
{
	struct plan p = { .root = geteuid() == 0 };
	const char *wanted;
	int r;

	p.port[SMTP] = p.root ? 25 : 2525;
	p.port[SUBMISSION] = p.root ? 587 : 2587;
	p.port[SUBMISSIONS] = p.root ? 465 : 2465;
	if (parse(&p, argc, argv) != 0)
		return 2;
	umask(022);
	if (p.hostname == NULL)
		p.hostname = default_hostname(&p);
	wanted = p.dir;
	if (mkdir(wanted, 0755) != 0 && errno != EEXIST) {
		say(wanted, strerror(errno));
		return 1;
	}
	p.dir = realpath(wanted, NULL);
	if (p.dir == NULL) {
		say(wanted, strerror(errno));
		return 1;
	}
	if (p.root && make_accounts(&p) != 0)
		return 1;
	r = make_directories(&p);
	if (r == 0)
		r = make_configuration(&p);
	if (r == 0)
		r = make_tls(&p);
	if (r == 0)
		r = make_users_db(&p);
	if (r == 0)
		printf("%s is ready. Add a user and start it:\n"
		       "  printf '%%s\\n' SecurePass | gatepost -c %s/etc user add user1@%s --name 'User1'\n"
		       "  gatepost -c %s/etc start\n",
			p.dir, p.dir,
			strchr(p.hostname, '.') && strchr(strchr(p.hostname, '.') + 1, '.')
				? strchr(p.hostname, '.') + 1
				: p.hostname,
			p.dir);
	free(p.dir);
	return r == 0 ? 0 : 1;
}
