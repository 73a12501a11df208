/* Sessions with a directory's servers: made, bound, waited for, and what is said when they fail. */
#include "authd/ldap_session.h"

#include "authd/ldap_sasl.h"

#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

enum { CONNECT_MS = 3000 };

uint64_t ldap_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static const char *word(const struct ldap_conn *c, const char *key)
{
	return sql_connect_get(&c->set, key, "");
}

void ldap_session_end(LDAP **ld)
{
	if (*ld)
		ldap_unbind_ext(*ld, NULL, NULL);
	*ld = NULL;
}

/* ---- what went wrong ---- */

/* Is it that there is no server that answers? Else this question alone is the fault. */
static int fault(int code)
{
	static const int away[] = { LDAP_SERVER_DOWN, LDAP_CONNECT_ERROR, LDAP_TIMEOUT, LDAP_UNAVAILABLE, LDAP_BUSY,
		LDAP_LOCAL_ERROR, LDAP_DECODING_ERROR };

	for (size_t i = 0; i < sizeof away / sizeof *away; i++)
		if (code == away[i])
			return -SQL_EDOWN;
	return -SQL_EQUERY;
}

static bool is_encrypted(const struct ldap_conn *c, const char *uri)
{
	return strncmp(uri, "ldaps:", 6) == 0 || *word(c, "starttls");
}

#ifdef HAVE_SASL
static bool is_private(const struct ldap_conn *c, const char *uri)
{
	return is_encrypted(c, uri) || strncmp(uri, "ldapi:", 6) == 0;
}
#endif

static const char *advice(int code, bool encrypted)
{
	switch (code) {
	case LDAP_SERVER_DOWN:
	case LDAP_CONNECT_ERROR:
		return encrypted ? "; it is away, or its certificate is none that tls_ca_cert_file = and its name fit"
				 : "";
	case LDAP_CONFIDENTIALITY_REQUIRED:
	case LDAP_STRONG_AUTH_REQUIRED:
		return "; it wants TLS: set tls = yes, or uris = ldaps://…";
	case LDAP_INAPPROPRIATE_AUTH:
	case LDAP_INSUFFICIENT_ACCESS:
		return "; dn = and dnpass = should name somebody who may";
	case LDAP_AUTH_UNKNOWN: /* libsasl found none */
	case LDAP_AUTH_METHOD_NOT_SUPPORTED:
		return "; sasl_mech = should be one that the server offers (PLAIN: with TLS alone), with a password "
		       "that is of use "
		       "for it there";
	case LDAP_FILTER_ERROR:
		return "; the filter is not well formed";
	case LDAP_NO_SUCH_OBJECT:
		return "; base = names no entry";
	case LDAP_SIZELIMIT_EXCEEDED:
		return "; the server gives no more entries: raise its limit for dn =";
	default:
		return "";
	}
}

int ldap_failed(const struct ldap_call *k, LDAP *ld, const char *what, int code)
{
	char *more = NULL;

	if (ld)
		ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
	*k->why = arena_printf(k->mem, "%s: %s: %s%s%s%s", k->c->set.host[k->c->host], what, ldap_err2string(code),
		more && *more ? ": " : "", more && *more ? arena_cdup(k->mem, str_trim(str_c(more))) : "",
		advice(code, is_encrypted(k->c, k->c->set.host[k->c->host])));
	ldap_memfree(more);
	for (char *p = (char *)(uintptr_t)*k->why; *p; p++)
		if (*p == '\n' || *p == '\r' || *p == '\t')
			*p = ' ';
	return fault(code);
}

/* ---- a session ---- */

struct timeval ldap_until(uint64_t deadline, uint64_t most_ms)
{
	uint64_t now = ldap_now_ms(), ms = deadline > now ? deadline - now : 1;

	ms = ms < most_ms ? ms : most_ms;
	return (struct timeval){ (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };
}

static int set_tls(const struct ldap_conn *c, LDAP *ld)
{
	static const struct {
		const char *key;
		int option;
	} files[] = { { "tls_ca_cert_file", LDAP_OPT_X_TLS_CACERTFILE },
		{ "tls_ca_cert_dir", LDAP_OPT_X_TLS_CACERTDIR }, { "tls_cert_file", LDAP_OPT_X_TLS_CERTFILE },
		{ "tls_key_file", LDAP_OPT_X_TLS_KEYFILE }, { "tls_cipher_suite", LDAP_OPT_X_TLS_CIPHER_SUITE } };
	static const struct {
		const char *name;
		int value;
	} demands[] = { { "never", LDAP_OPT_X_TLS_NEVER }, { "hard", LDAP_OPT_X_TLS_HARD },
		{ "demand", LDAP_OPT_X_TLS_DEMAND }, { "allow", LDAP_OPT_X_TLS_ALLOW }, { "try", LDAP_OPT_X_TLS_TRY } };
	const char *demand = word(c, "tls_require_cert");
	int r = LDAP_SUCCESS, server = 0;

	for (size_t i = 0; i < sizeof files / sizeof *files && r == LDAP_SUCCESS; i++)
		if (*word(c, files[i].key))
			r = ldap_set_option(ld, files[i].option, word(c, files[i].key));
	for (size_t i = 0; i < sizeof demands / sizeof *demands && r == LDAP_SUCCESS; i++)
		if (strcmp(demand, demands[i].name) == 0)
			r = ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demands[i].value);
	/* They count from the next context on. */
	return r == LDAP_SUCCESS ? ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &server) : r;
}

static int set_options(const struct ldap_call *k, LDAP *ld)
{
	const struct ldap_conn *c = k->c;
	struct timeval wait = ldap_until(k->deadline, CONNECT_MS);
	int version = *word(c, "version") == '2' ? LDAP_VERSION2 : LDAP_VERSION3, deref = atoi(word(c, "deref"));

	if (ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) != LDAP_SUCCESS ||
		ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != LDAP_SUCCESS ||
		ldap_set_option(ld, LDAP_OPT_RESTART, LDAP_OPT_ON) != LDAP_SUCCESS ||
		ldap_set_option(ld, LDAP_OPT_DEREF, &deref) != LDAP_SUCCESS ||
		ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &wait) != LDAP_SUCCESS ||
		ldap_set_option(ld, LDAP_OPT_TIMEOUT, &wait) != LDAP_SUCCESS ||
		ldap_bound_set(k->c, ld) != LDAP_SUCCESS)
		return LDAP_LOCAL_ERROR;
	return is_encrypted(c, c->set.host[c->host]) ? set_tls(c, ld) : LDAP_SUCCESS;
}

int ldap_wait(const struct ldap_call *k, LDAP *ld, int id, LDAPMessage **answer)
{
	struct timeval wait = ldap_until(k->deadline, UINT64_MAX);
	int code = LDAP_OTHER, r = ldap_result(ld, id, LDAP_MSG_ALL, &wait, answer);

	if (r == 0) {
		ldap_abandon_ext(ld, id, NULL, NULL);
		return LDAP_TIMEOUT;
	}
	if (r < 0) {
		ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &code);
		return code == LDAP_SUCCESS ? LDAP_SERVER_DOWN : code;
	}
	r = ldap_parse_result(ld, *answer, &code, NULL, NULL, NULL, NULL, 0);
	return r == LDAP_SUCCESS ? code : r;
}

int ldap_bind_as(const struct ldap_call *k, LDAP *ld, const char *dn, const char *mechanism, struct str secret)
{
	struct berval cred = { .bv_len = secret.n, .bv_val = (char *)(uintptr_t)(secret.p ? secret.p : "") };
	LDAPMessage *answer = NULL;
	int id = -1, r = ldap_sasl_bind(ld, dn, mechanism, &cred, NULL, NULL, &id);

	if (r == LDAP_SUCCESS)
		r = ldap_wait(k, ld, id, &answer);
	ldap_msgfree(answer);
	return r;
}

/* As whom the searches are made. Without dn = nobody: no bind is needed for that. */
static int bind_service(const struct ldap_call *k, LDAP *ld)
{
	const struct ldap_conn *c = k->c;

#ifdef HAVE_SASL
	if (*word(c, "sasl_mech") && strcmp(word(c, "sasl_mech"), "EXTERNAL") != 0)
		return ldap_sasl_bind_as(k, ld, word(c, "sasl_mech"), is_private(c, c->set.host[c->host]));
#endif
	if (*word(c, "sasl_mech"))
		return ldap_bind_as(k, ld, "", word(c, "sasl_mech"), str_c(word(c, "sasl_authz_id")));
	if (*word(c, "dn") == '\0')
		return LDAP_SUCCESS;
	return ldap_bind_as(k, ld, word(c, "dn"), LDAP_SASL_SIMPLE, str_c(word(c, "dnpass")));
}

static int connect_host(const struct ldap_call *k, bool to_search, LDAP **out)
{
	const struct ldap_conn *c = k->c;
	const char *what = "connection";
	LDAP *ld = NULL;
	int r = ldap_initialize(&ld, c->set.host[c->host]);

	if (r == LDAP_SUCCESS)
		r = set_options(k, ld);
	/* Now, and not with the first request: another host may be there. */
	if (r == LDAP_SUCCESS)
		r = ldap_connect(ld);
	if (r == LDAP_SUCCESS && *word(c, "starttls")) {
		what = "STARTTLS";
		r = ldap_start_tls_s(ld, NULL, NULL);
	}
	if (r == LDAP_SUCCESS && to_search) {
		what = *word(c, "dn") ? arena_printf(k->mem, "bind as %s", word(c, "dn")) : "bind";
		r = bind_service(k, ld);
	}
	if (r == LDAP_SUCCESS) {
		*out = ld;
		return 0;
	}
	ldap_failed(k, ld, what, r);
	ldap_session_end(&ld);
	return -SQL_EDOWN;
}

int ldap_session_begin(const struct ldap_call *k, bool to_search, LDAP **out)
{
	struct ldap_conn *c = k->c;

	for (size_t i = 0; i < c->set.n_hosts && ldap_now_ms() < k->deadline; i++) {
		int r;

		/* One that is silent leaves time for the others. */
		c->deadline = ldap_now_ms() + CONNECT_MS < k->deadline ? ldap_now_ms() + CONNECT_MS : k->deadline;
		r = connect_host(k, to_search, out);
		c->deadline = k->deadline;
		if (r == 0)
			return 0;
		c->host = (c->host + 1) % c->set.n_hosts;
	}
	return -SQL_EDOWN;
}
