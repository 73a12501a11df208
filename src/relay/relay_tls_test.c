/* What may be sent without TLS, and what not: policies, REQUIRETLS, TLS-Required. */
#include "relay/relay_rig_test.h"

/* A policy that relay cannot keep is never a weaker one. */
static void test_policy(void **state)
{
	static const struct {
		const char *host, *text; /* NULL: delivered */
	} cases[] = {
		{ "plain.policy.test", NULL },
		{ "attribute.policy.test", "the attribute \"tafile=/x\" is not supported" },
		{ "dane.policy.test", "the level \"dane-only\" is not supported" },
		{ "empty.policy.test", "it is empty" },
		{ "below.above.test", "no fingerprint that the server's certificate should have" },
		/* IDN, in the other form than in the table, and before a wider key */
		{ "below.b\xc3\xbc"
		  "cher.test",
			"no fingerprint" },
		{ "below.xn--bcher-kva.example", "no fingerprint" },
		{ "m\xc3\xbcll.test:25", "the level \"dane-only\" is not supported" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mail m = { "policy", i < 4 ? 25 : 0, { "a@y.org" }, 1, sizeof content - 1, 0, cases[i].host };
		const struct rcpt_result *r;
		struct server s;

		if (cases[i].text == NULL) {
			server_start(&s, HELLO SENT "C QUIT\n");
			m.port = s.port;
		}
		r = deliver(&m);
		check_int(r->status, cases[i].text ? RCPT_DEFERRED : RCPT_SENT);
		if (cases[i].text == NULL) {
			finish_with(&s);
			continue;
		}
		check_str(r->dsn, "4.3.5");
		check(memmem(r->text.p, r->text.n, cases[i].text, strlen(cases[i].text)) != NULL);
		m.flags = ENV_REQUIRETLS; /* the mistake is ours: it waits as any other mail */
		check_int(deliver(&m)->status, RCPT_DEFERRED);
	}
}

/* REQUIRETLS at a service without TLS: to a server that has none nothing leaves. */
static void test_requiretls(void **state)
{
	static const struct {
		const char *service, *script;
		int status;
		const char *dsn, *text;
	} cases[] = {
		{ "smtp", "S 220 hi\nC EHLO\nS 250 peer\nC QUIT\n", RCPT_BOUNCED, "5.7.10",
			"REQUIRETLS: TLS is required, but was not offered by host" },
		{ "smtp", "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 454 no\nC QUIT\n", RCPT_BOUNCED,
			"5.7.10", "REQUIRETLS: TLS is required, but host" },
		{ "nameless", NULL, RCPT_DEFERRED, "4.3.5", "no name that the server's certificate should have" },
		{ "no-files", NULL, RCPT_DEFERRED, "4.3.5", "it cannot be set up" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mail m = { cases[i].service, 1, { "a@y.org" }, 1, sizeof content - 1, ENV_REQUIRETLS, NULL };
		const struct rcpt_result *r;
		struct server s;

		if (cases[i].script) {
			server_start(&s, cases[i].script);
			m.port = s.port;
		}
		r = deliver(&m);
		check_int(r->status, cases[i].status);
		check_str(r->dsn, cases[i].dsn);
		check(memmem(r->text.p, r->text.n, cases[i].text, strlen(cases[i].text)) != NULL);
		if (cases[i].script)
			finish_with(&s);
	}
}

/*
 * The field TLS-Required: No gives up what the recipient's side demands (RFC 8689 sec. 4.2.2), never a level that the
 * administrator has set: a sender, or who writes its header, cannot have mail sent in clear text where that is forbidden.
 */
static void test_tls_optional(void **state)
{
	static const struct {
		const char *service, *script;
		int status;
		const char *dsn, *text;
	} cases[] = {
		{ "smtp", "S 220 hi\nC EHLO\nS 250-peer\nS 250 PIPELINING\n" SENT "C QUIT\n", RCPT_SENT, "2.0.0",
			"250 2.0.0 done" },
		{ "may",
			"S 220 hi\nC EHLO\nS 250-peer\nS 250-PIPELINING\nS 250 STARTTLS\nC STARTTLS\nS 454 no\n" SENT
			"C QUIT\n",
			RCPT_SENT, "2.0.0", "250 2.0.0 done" },
		{ "may",
			"S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nP\nR garbage that is no "
			"TLS\nX\n"
			"S 220 hi\nC EHLO\nS 250-peer\nS 250 PIPELINING\n" SENT "C QUIT\n",
			RCPT_SENT, "2.0.0", "250 2.0.0 done" },
		{ "must", "S 220 hi\nC EHLO\nS 250 peer\nC QUIT\n", RCPT_DEFERRED, "4.7.4", "TLS is required" },
		{ "must", "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 454 4.7.0 no\nC QUIT\n",
			RCPT_DEFERRED, "4.7.0", "TLS is required" },
		{ "secure", "S 220 hi\nC EHLO\nS 250 peer\nC QUIT\n", RCPT_DEFERRED, "4.7.4", "TLS is required" },
		{ "login-may",
			"S 220 hi\nC EHLO\nS 250-peer\nS 250-AUTH PLAIN\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nP\nX",
			RCPT_DEFERRED, "4.7.5", "Cannot start TLS" }, /* the login is ours, not the sender's */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mail m = { cases[i].service, 1, { "a@y.org" }, 1, sizeof content - 1, ENV_TLS_OPTIONAL, NULL };
		const struct rcpt_result *r;
		struct server s;

		server_start(&s, cases[i].script);
		m.port = s.port;
		r = deliver(&m);
		cache_close_all();
		uv_run(relay.child.loop, UV_RUN_NOWAIT);
		check_int(r->status, cases[i].status);
		check_str(r->dsn, cases[i].dsn);
		check(memmem(r->text.p, r->text.n, cases[i].text, strlen(cases[i].text)) != NULL);
		finish_with(&s);
	}
}

#define OVER_TLS "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nT\nC EHLO\nS 250-peer\n"

/* A server without REQUIRETLS is not the last word while there are others; of several, or in the cache. */
static void test_requiretls_elsewhere(void **state)
{
	static const struct {
		const char *script;
		int status;
		const char *dsn;
	} cases[] = {
		{ OVER_TLS "S 250 PIPELINING\nX\n" OVER_TLS "S 250-PIPELINING\nS 250 REQUIRETLS\n" SENT "C QUIT\n",
			RCPT_SENT, "2.0.0" },
		{ OVER_TLS "S 250 PIPELINING\nX\n" OVER_TLS "S 250 PIPELINING\nC QUIT\n", RCPT_BOUNCED, "5.7.30" },
		{ OVER_TLS "S 250 PIPELINING\nX\nS 421 4.3.2 busy\nX\n", RCPT_DEFERRED, "4.3.2" },
	};
	struct mail m = { "secure", 0, { "a@y.org" }, 1, sizeof content - 1, ENV_REQUIRETLS, "twice.test" };
	const struct rcpt_result *r;
	struct server s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		server_start(&s, cases[i].script);
		m.port = s.port;
		r = deliver(&m);
		check_int(r->status, cases[i].status);
		check_str(r->dsn, cases[i].dsn);
		finish_with(&s);
	}
	server_start(&s, OVER_TLS "S 250 PIPELINING\n" SENT "W\nX\n" OVER_TLS
				  "S 250-PIPELINING\nS 250 REQUIRETLS\n" SENT "C QUIT\n");
	m.port = s.port;
	m.flags = 0;
	check_int(deliver(&m)->status, RCPT_SENT);
	m.flags = ENV_REQUIRETLS; /* not over the connection that is there */
	check_int(deliver(&m)->status, RCPT_SENT);
	finish_with(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_requiretls),
		cmocka_unit_test(test_tls_optional),
		cmocka_unit_test(test_requiretls_elsewhere),
	};

	return relay_test_run(tests);
}
