/* check_service.c - what one process would refuse, or regret, at its start: TLS files, the client's settings, auth.conf. */
#include "ctl/check.h"
#include "conf/dovecot.h"
#include "tls/tls.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SOON_S = 7 * 24 * 3600 };

/* The first certificate of the file: clients that verify turn away when its time is over. */
static void look_at_dates(const struct checked *c, const char *path)
{
	FILE *f = fopen(path, "re");
	X509 *cert = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	const ASN1_TIME *end = cert ? X509_get0_notAfter(cert) : NULL;
	int days = 0, seconds = 0;

	if (end && ASN1_TIME_diff(&days, &seconds, NULL, end) == 1) {
		if (days < 0 || seconds < 0)
			buf_addf(c->warnings, "%s: the certificate %s expired %d days ago; clients will not trust it\n",
				c->where, path, -days);
		else if (days * 24L * 3600 + seconds < SOON_S)
			buf_addf(c->warnings, "%s: the certificate %s expires in %d days\n", c->where, path, days);
		if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
			buf_addf(c->warnings, "%s: the certificate %s is not valid yet\n", c->where, path);
	}
	X509_free(cert);
	if (f)
		fclose(f);
}

unsigned check_tls(const struct checked *c)
{
	static const char *const files[] = { "smtpd_tls_cert_file", "smtpd_tls_eccert_file", "smtpd_tls_chain_files" };
	struct buf error = BUF_INIT(4096);
	struct tls_ctx *ctx;
	struct str rest, word;

	if (!tls_server_is_wanted(c->view))
		return 0;
	ctx = tls_server_ctx(c->view, c->service->name, &error);
	if (ctx == NULL)
		buf_addf(c->lines, "%s: %s\n", c->where, error.p ? error.p : "TLS cannot be set up");
	buf_free(&error);
	if (ctx == NULL)
		return 1;
	tls_ctx_free(&ctx);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		for (rest = str_c(conf_str(c->view, files[i])); str_word(&rest, ", \t\r\n", &word);) {
			char *path = xstrndup(word);

			look_at_dates(c, path);
			free(path);
		}
	return 0;
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
