/* check_service.c - what one process would refuse, or regret, at its start: TLS files, the client's settings. */
#include "ctl/check.h"
#include "tls/tls.h"

/* Each line of it is a fault, but that one name of many cannot be served keeps nobody from starting. */
static unsigned add_lines(const struct checked *c, const struct buf *error)
{
	struct str rest = buf_str(error), line;
	unsigned n = 0;

	while (str_word(&rest, "\n", &line)) {
		bool is_fault = c->is_strict || !tls_is_about_name(line);

		buf_addf(is_fault ? c->lines : c->warnings, "%s: %.*s\n", c->where, STR_ARG(line));
		n += is_fault;
	}
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

/* What it needs from files. */
static unsigned check_client_files(const struct checked *c)
{
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = tls_client_ctx(c->view, &error);
	unsigned faults = add_lines(c, &error);

	tls_ctx_free(&ctx);
	buf_free(&error);
	check_certificates(c, "smtp_tls_chain_files", false);
	check_certificates(c, "smtp_tls_cert_file", false);
	check_certificates(c, "smtp_tls_eccert_file", false);
	return faults;
}

static unsigned fault(const struct checked *c, const char *text)
{
	buf_addf(c->lines, "%s: %s\n", c->where, text);
	return 1;
}

unsigned check_client(const struct checked *c)
{
	static const char *const levels[] = { "", "none", "may", "encrypt", "fingerprint", "verify", "secure" };
	const char *level = conf_str(c->view, "smtp_tls_security_level");
	unsigned faults = 0;
	size_t rank = 0;

	while (rank < sizeof levels / sizeof *levels && strcmp(level, levels[rank]) != 0)
		rank++;
	if (rank == sizeof levels / sizeof *levels) {
		buf_addf(c->lines,
			"%s: smtp_tls_security_level = %s: this build has none, may, encrypt, fingerprint, verify and "
			"secure\n",
			c->where, level);
		faults++;
	} else if (rank < 3 && conf_bool(c->view, "smtp_tls_wrappermode")) {
		faults += fault(c, "smtp_tls_wrappermode = yes needs smtp_tls_security_level = encrypt (or stronger)");
	} else if (rank == 4 && *conf_str(c->view, "smtp_tls_fingerprint_cert_match") == '\0') {
		faults += fault(c, "smtp_tls_security_level = fingerprint needs smtp_tls_fingerprint_cert_match");
	}
	if (rank > 1 || *conf_str(c->view, "smtp_tls_policy_maps"))
		faults += check_client_files(c);
	if (conf_bool(c->view, "smtp_sasl_auth_enable") && *conf_str(c->view, "smtp_sasl_password_maps") == '\0')
		faults += fault(c, "smtp_sasl_auth_enable = yes needs smtp_sasl_password_maps");
	return faults;
}
