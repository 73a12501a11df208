/* check_service.c - what one process would refuse, or regret, at its start: TLS files, the client's settings, auth.conf. */
#include "ctl/check.h"
#include "conf/dovecot.h"
#include "tls/tls.h"

#include <unistd.h>

/* Each line of it is a fault. */
static unsigned add_lines(const struct checked *c, const struct buf *error)
{
	struct str rest = buf_str(error), line;
	unsigned n = 0;

	for (; str_word(&rest, "\n", &line); n++)
		buf_addf(c->lines, "%s: %.*s\n", c->where, STR_ARG(line));
	return n;
}

unsigned check_tls(const struct checked *c)
{
	struct buf error = BUF_INIT(65536);
	struct tls_ctx *ctx;
	unsigned faults;

	if (!tls_server_is_wanted(c->view))
		return 0;
	ctx = tls_server_ctx(c->view, c->service->name, &error);
	faults = add_lines(c, &error);
	buf_free(&error);
	if (ctx == NULL)
		return faults;
	tls_ctx_free(&ctx);
	check_certificates(c, "smtpd_tls_chain_files", true);
	if (*conf_str(c->view, "smtpd_tls_chain_files") == '\0') {
		check_certificates(c, "smtpd_tls_cert_file", true);
		check_certificates(c, "smtpd_tls_eccert_file", true);
	}
	return faults;
}

unsigned check_client(const struct checked *c)
{
	static const char *const levels[] = { "", "none", "may", "encrypt", "verify", "secure" };
	const char *level = conf_str(c->view, "smtp_tls_security_level");
	unsigned faults = 0;
	size_t rank = 0;

	while (rank < sizeof levels / sizeof *levels && strcmp(level, levels[rank]) != 0)
		rank++;
	if (rank == sizeof levels / sizeof *levels) {
		buf_addf(c->lines,
			"%s: smtp_tls_security_level = %s: this build has none, may, encrypt, verify and secure\n",
			c->where, level);
		faults++;
	} else if (rank < 3 && conf_bool(c->view, "smtp_tls_wrappermode")) {
		buf_addf(c->lines,
			"%s: smtp_tls_wrappermode = yes needs smtp_tls_security_level = encrypt (or stronger)\n",
			c->where);
		faults++;
	}
	if (conf_bool(c->view, "smtp_sasl_auth_enable") && *conf_str(c->view, "smtp_sasl_password_maps") == '\0') {
		buf_addf(c->lines, "%s: smtp_sasl_auth_enable = yes needs smtp_sasl_password_maps\n", c->where);
		faults++;
	}
	return faults;
}

unsigned check_auth_conf(const struct checked *c)
{
	const char *file = conf_str(c->view, "auth_conf_file");
	size_t before = c->lines->n;
	struct dovecot_conf *conf;
	unsigned faults = 0;

	if (*file == '\0' || access(file, F_OK) != 0)
		return 0;
	conf = dovecot_load(file, c->lines);
	dovecot_free(&conf);
	for (size_t i = before; i < c->lines->n; i++)
		faults += c->lines->p[i] == '\n';
	return faults;
}
