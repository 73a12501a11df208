#include "auth/auth_client.h"
#include "base/arena.h"
#include "base/test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A service that follows a script: it accepts, says its lines, and collects what the client says. */
struct service {
	char path[108];
	int listener, fd;
	struct buf got;
};

struct probe {
	struct auth_request request;
	unsigned challenges, ends;
	enum auth_outcome outcome;
	char user[64], reason[128], challenge[64];
	const char *answer; /* to a challenge; NULL: cancel */
};

static uv_loop_t loop;

static void service_open(struct service *s)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	*s = (struct service){ .fd = -1, .got = BUF_INIT(65536) };
	snprintf(s->path, sizeof s->path, "/tmp/auth_client_test.%d", (int)getpid());
	unlink(s->path);
	memcpy(un.sun_path, s->path, sizeof s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	check_int(bind(s->listener, (struct sockaddr *)&un, sizeof un), 0);
	check_int(listen(s->listener, 8), 0);
}

static void service_close(struct service *s)
{
	if (s->fd >= 0)
		close(s->fd);
	close(s->listener);
	unlink(s->path);
	buf_free(&s->got);
}

static void service_accept(struct service *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);
	check(s->fd >= 0);
}

static void service_say(struct service *s, struct str text, bool by_octet)
{
	for (size_t i = 0; i < text.n; i += by_octet ? 1 : text.n) {
		check(send(s->fd, text.p + i, by_octet ? 1 : text.n, MSG_NOSIGNAL) > 0);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
}

static const char *service_hear(struct service *s)
{
	char part[4096];
	ssize_t n;

	for (int i = 0; i < 20; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		while ((n = recv(s->fd, part, sizeof part, 0)) > 0)
			buf_add(&s->got, part, (size_t)n);
	}
	return s->got.p ? s->got.p : "";
}

static void on_end(struct auth_request *r, enum auth_outcome outcome, struct str user, struct str reason)
{
	struct probe *p = container_of(r, struct probe, request);

	p->ends++;
	p->outcome = outcome;
	snprintf(p->user, sizeof p->user, "%.*s", STR_ARG(user));
	snprintf(p->reason, sizeof p->reason, "%.*s", STR_ARG(reason));
}

static void on_challenge(struct auth_request *r, struct str challenge)
{
	struct probe *p = container_of(r, struct probe, request);

	p->challenges++;
	snprintf(p->challenge, sizeof p->challenge, "%.*s", STR_ARG(challenge));
	if (p->answer)
		auth_continue(r, str_c(p->answer));
	else
		auth_cancel(r);
}

static void ask(struct auth_client *c, struct probe *p, const char *initial)
{
	*p = (struct probe){ .request = { .mech = STR("PLAIN"),
				     .service = STR("smtp"),
				     .remote_ip = STR("192.0.2.1"),
				     .secured = true,
				     .has_initial = initial != NULL,
				     .initial = str_c(initial),
				     .on_challenge = on_challenge,
				     .on_end = on_end },
		.answer = "YQ==" };
	auth_start(c, &p->request);
	check_int(p->ends, 0); /* never from within the call */
}

static const char greeting[] =
	"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t5\nCUID\t1\nCOOKIE\tab\nDONE\n";

static void wait_ms(unsigned ms)
{
	for (unsigned i = 0; i < ms; i += 5) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(5000);
	}
}

static void test_answers(void **state)
{
	static const struct {
		const char *line;
		int outcome; /* -1: no end */
		const char *user, *reason;
	} cases[] = {
		{ "OK\t1\tuser=a\tx=y\n", AUTH_OK, "a", "" },
		{ "OK\t1\tx=y\tuser=a\001tb\n", AUTH_OK, "a\tb", "" },
		{ "OK\t1\n", AUTH_TEMP, "", "the authentication service gave no user name" },
		{ "OK\t1\tuser=\n", AUTH_TEMP, "", "the authentication service gave no user name" },
		{ "FAIL\t1\tuser=a\n", AUTH_FAIL, "a", "" },
		{ "FAIL\t1\tuser=a\tcode=user_disabled\treason=no more\n", AUTH_FAIL, "a", "no more" },
		{ "FAIL\t1\tcode=temp_fail\n", AUTH_TEMP, "", "" },
		{ "FAIL\t1\ttemp\n", AUTH_TEMP, "", "" },
		{ "FAIL\t1\tcode=invalid_base64\n", AUTH_BAD_BASE64, "", "" },
		{ "OK\t2\tuser=a\n", -1, "", "" },
		{ "OK\tx\tuser=a\nOK\nFAIL\n\nNONSENSE\t1\nCONT\n", -1, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
		bool by_octet = i % 2;
		struct auth_client *c;
		struct service s;
		struct probe p;

		service_open(&s);
		c = auth_client_new(&loop, s.path, 5);
		service_accept(&s);
		service_say(&s, str_c(greeting), by_octet);
		check(auth_client_is_up(c));
		ask(c, &p, "AGEAYg==");
		check(strstr(service_hear(&s),
			      "AUTH\t1\tPLAIN\tservice=smtp\trip=192.0.2.1\tsecured\tnologin\tresp=AGEAYg==\n") !=
			NULL);
		service_say(&s, str_c(cases[i / 2].line), by_octet);
		wait_ms(5);
		check_int(p.ends, cases[i / 2].outcome >= 0);
		if (p.ends) {
			check_int(p.outcome, cases[i / 2].outcome);
			check_str(str_c(p.user), cases[i / 2].user);
			check_str(str_c(p.reason), cases[i / 2].reason);
		} else {
			auth_cancel(&p.request);
			check(strstr(service_hear(&s), "CANCEL\t1\n") != NULL);
		}
		auth_client_free(&c);
		uv_run(&loop, UV_RUN_DEFAULT);
		service_close(&s);
	}
}

static void test_greeting(void **state)
{
	static const struct {
		const char *text;
		bool up;
		size_t mechs;
	} cases[] = {
		{ greeting, true, 2 },
		{ "VERSION\t1\t4\nMECH\tPLAIN\tplaintext\tnovel\nMECH\tbad name\nMECH\nSPID\t5\nNOVEL\nDONE\n", true,
			1 },
		{ "VERSION\t2\t0\nMECH\tPLAIN\nDONE\n", false, 0 },
		{ "VERSION\t1\t1\nSPID\t5\n", false, 0 },
		{ "VERSION\t1\t1\nSPID\t5\nCUID\t5\nCOOKIE\tx\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\nDONE\n", true, 2 },
		{ "HTTP/1.0 400 Bad\n", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct auth_mech *mechs;
		struct auth_client *c;
		struct service s;

		service_open(&s);
		c = auth_client_new(&loop, s.path, 5);
		service_accept(&s);
		check(strstr(service_hear(&s), "VERSION\t1\t4\nCPID\t") == s.got.p);
		service_say(&s, str_c(cases[i].text), false);
		wait_ms(5);
		check_int(auth_client_is_up(c), cases[i].up);
		check_int(auth_client_mechs(c, &mechs), cases[i].mechs);
		if (cases[i].mechs) {
			check_str(mechs[0].name, "PLAIN");
			check_int(mechs[0].flags, AUTH_MECH_PLAINTEXT);
		}
		auth_client_free(&c);
		uv_run(&loop, UV_RUN_DEFAULT);
		service_close(&s);
	}
}

static void test_challenges(void **state)
{
	struct auth_client *c;
	struct service s;
	struct probe p, q, bad;

	(void)state;
	service_open(&s);
	c = auth_client_new(&loop, s.path, 5);
	/* Asked before the greeting: waits for it. */
	ask(c, &p, NULL);
	service_accept(&s);
	check(strstr(service_hear(&s), "AUTH") == NULL);
	service_say(&s, str_c(greeting), false);
	check(strstr(service_hear(&s), "AUTH\t1\tPLAIN\tservice=smtp\trip=192.0.2.1\tsecured\tnologin\n") != NULL);
	service_say(&s, STR("CONT\t1\tVXNlcm5hbWU6\n"), false);
	check(strstr(service_hear(&s), "CONT\t1\tYQ==\n") != NULL);
	check_str(str_c(p.challenge), "VXNlcm5hbWU6");
	service_say(&s, STR("CONT\t1\t\nOK\t1\tuser=u\n"), false);
	wait_ms(5);
	check_int(p.challenges, 2);
	check_int(p.outcome, AUTH_OK);
	/* A client that cancels: "*". */
	ask(c, &q, NULL);
	q.answer = NULL;
	service_hear(&s);
	service_say(&s, STR("CONT\t2\t\n"), false);
	check(strstr(service_hear(&s), "CANCEL\t2\n") != NULL);
	service_say(&s, STR("OK\t2\tuser=late\n"), false);
	check_int(q.ends, 0);
	/* Bad base64 is not even asked. */
	ask(c, &bad, "!!!\tuser=x\n");
	wait_ms(5);
	check_int(bad.outcome, AUTH_BAD_BASE64);
	check(strstr(service_hear(&s), "!!!") == NULL);
	auth_client_free(&c);
	uv_run(&loop, UV_RUN_DEFAULT);
	service_close(&s);
}

static int on_binding(struct auth_request *r, struct str type, struct buf *out)
{
	(void)r;
	return str_eq(type, STR("tls-exporter")) ? buf_add_c(out, "data") : -1;
}

/* Dovecot asks for them with a challenge that is the client's: they go with its answer, and with no other. */
static void test_binding_with_a_challenge(void **state)
{
	static const struct {
		const char *cont, *want;
	} cases[] = {
		{ "CONT\t1\tYQ==\tchannel_binding=tls-exporter\n", "CONT\t1\tYQ==\tchannel_binding=ZGF0YQ==\n" },
		{ "CONT\t1\tYQ==\n", "CONT\t1\tYQ==\n" },
		{ "CONT\t1\t\tchannel_binding=tls-exporter\n", "CONT\t1\tYQ==\tchannel_binding=ZGF0YQ==\n" },
		{ "CONT\t1\tYQ==\tchannel_binding=tls-unique\n", "CONT\t1\tYQ==\n" },
		{ "CONT\t1\tYQ==\tchannel_binding=\n", "CONT\t1\tYQ==\n" },
		{ "CONT\t1\tYQ==\tx=y\tchannel_binding=tls-exporter\tz\n",
			"CONT\t1\tYQ==\tchannel_binding=ZGF0YQ==\n" },
	};
	struct auth_client *c;
	struct service s;
	struct probe p;

	(void)state;
	service_open(&s);
	c = auth_client_new(&loop, s.path, 5);
	service_accept(&s);
	service_say(&s, str_c(greeting), false);
	ask(c, &p, NULL);
	p.request.on_binding = on_binding;
	service_hear(&s);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_reset(&s.got);
		service_say(&s, str_c(cases[i].cont), false);
		check_str(str_c(service_hear(&s)), cases[i].want);
		check_int(p.challenges, i + 1);
	}
	service_say(&s, STR("OK\t1\tuser=u\n"), false);
	wait_ms(5);
	check_int(p.outcome, AUTH_OK);
	auth_client_free(&c);
	uv_run(&loop, UV_RUN_DEFAULT);
	service_close(&s);
}

/* The data of the channel are asked for between the client and this end; it learns nothing of it (minor 3). */
static void test_binding(void **state)
{
	struct auth_client *c;
	struct service s;
	struct probe p;

	(void)state;
	service_open(&s);
	c = auth_client_new(&loop, s.path, 5);
	service_accept(&s);
	service_say(&s, str_c(greeting), false);
	ask(c, &p, NULL);
	p.request.on_binding = on_binding;
	service_hear(&s);
	service_say(&s, STR("CONT\t1\t#\tchannel_binding=tls-exporter\n"), true);
	check(strstr(service_hear(&s), "CONT\t1\t#\tchannel_binding=ZGF0YQ==\n") != NULL);
	service_say(&s, STR("CONT\t1\t#\tchannel_binding=tls-unique\n"), false);
	check(strstr(service_hear(&s), "CONT\t1\t#\n") != NULL);
	p.request.on_binding = NULL;
	buf_reset(&s.got);
	service_say(&s, STR("CONT\t1\t#\tchannel_binding=tls-exporter\n"), false);
	check(strstr(service_hear(&s), "CONT\t1\t#\n") != NULL);
	check_int(p.challenges, 0);
	service_say(&s, STR("CONT\t1\tYQ==\n"), false);
	service_hear(&s);
	check_int(p.challenges, 1);
	service_say(&s, STR("OK\t1\tuser=u\n"), false);
	wait_ms(5);
	check_int(p.outcome, AUTH_OK);
	auth_client_free(&c);
	uv_run(&loop, UV_RUN_DEFAULT);
	service_close(&s);
}

/* All that is known of the client goes along; a TAB in it stays in its field. */
static void test_all_fields(void **state)
{
	struct auth_client *c;
	struct service s;
	struct probe p = { .request = { .mech = STR("EXTERNAL"),
				   .service = STR("smtp"),
				   .local_ip = STR("::1"),
				   .remote_ip = STR("::2"),
				   .local_port = 587,
				   .remote_port = 4711,
				   .secured = true,
				   .local_name = STR("mx\texample"),
				   .session = STR("abc"),
				   .has_valid_cert = true,
				   .cert_name = STR("J\nohn"),
				   .cert_print = STR("aa"),
				   .cert_key_print = STR("bb"),
				   .has_initial = true,
				   .initial = STR("="),
				   .on_challenge = on_challenge,
				   .on_end = on_end } };

	(void)state;
	service_open(&s);
	c = auth_client_new(&loop, s.path, 5);
	service_accept(&s);
	service_say(&s, str_c(greeting), false);
	auth_start(c, &p.request);
	check(strstr(service_hear(&s),
		      "AUTH\t1\tEXTERNAL\tservice=smtp\tlip=::1\trip=::2\tlport=587\trport=4711\tsecured\t"
		      "local_name=mx\001texample\tsession=abc\tvalid-client-cert\tcert_username=J\001nohn\t"
		      "ssl_client_cert_fp=aa\tssl_client_cert_pubkey_fp=bb\tnologin\tresp==\n") != NULL);
	auth_cancel(&p.request);
	auth_client_free(&c);
	uv_run(&loop, UV_RUN_DEFAULT);
	service_close(&s);
}

static void test_away(void **state)
{
	struct auth_client *c;
	struct service s;
	struct probe p, q;
	const struct auth_mech *mechs;

	(void)state;
	service_open(&s);
	c = auth_client_new(&loop, s.path, 1);
	service_accept(&s);
	service_say(&s, str_c(greeting), false);
	/* The service dies under a request. */
	ask(c, &p, "AGEAYg==");
	service_hear(&s);
	close(s.listener);
	unlink(s.path);
	close(s.fd);
	s.fd = -1;
	wait_ms(20);
	check_int(p.ends, 1);
	check_int(p.outcome, AUTH_TEMP);
	check(!auth_client_is_up(c));
	check_int(auth_client_mechs(c, &mechs), 2); /* the last known ones */
	ask(c, &q, "AGEAYg==");
	wait_ms(20);
	check_int(q.outcome, AUTH_TEMP);
	check_int(q.ends, 1);
	/* It comes back; the client finds it within a second. */
	service_close(&s);
	service_open(&s);
	for (int i = 0; i < 30 && (s.fd = accept4(s.listener, NULL, NULL, SOCK_NONBLOCK)) < 0; i++)
		wait_ms(50);
	check(s.fd >= 0);
	service_say(&s, str_c(greeting), false);
	check(auth_client_is_up(c));
	/* A service that answers others only: a temporary failure after the time-out, and its late answer is nobody's. */
	ask(c, &p, "AGEAYg==");
	wait_ms(700);
	service_say(&s, STR("OK\t77\tuser=other\n"), false);
	wait_ms(900);
	check_int(p.outcome, AUTH_TEMP);
	check_int(p.ends, 1);
	check(strstr(service_hear(&s), "CANCEL\t3\n") != NULL);
	service_say(&s, STR("OK\t3\tuser=late\n"), false);
	check_int(p.ends, 1);
	auth_client_free(&c);
	uv_run(&loop, UV_RUN_DEFAULT);
	service_close(&s);
}

/* The service was started anew at the same path while its old process keeps our connection, and says nothing. */
static void test_replaced(void **state)
{
	struct service old, new;
	struct auth_client *c;
	struct probe p;

	(void)state;
	service_open(&old);
	c = auth_client_new(&loop, old.path, 10);
	uv_run(&loop, UV_RUN_NOWAIT);
	service_accept(&old);
	service_say(&old, str_c(greeting), false);
	check(auth_client_is_up(c));
	service_open(&new); /* in its place */
	ask(c, &p, "YQ==");
	uv_run(&loop, UV_RUN_NOWAIT);
	service_accept(&new);
	service_say(&new, str_c(greeting), false);
	check(strstr(service_hear(&new), "AUTH\t1\tPLAIN") != NULL);
	check(strstr(service_hear(&old), "AUTH") == NULL);
	service_say(&new, STR("OK\t1\tuser=a\n"), false);
	check_int(p.outcome, AUTH_OK);
	auth_client_free(&c);
	uv_run(&loop, UV_RUN_NOWAIT);
	service_close(&old);
	service_close(&new);
}

/* One that is silent for the whole time limit is left; the next request goes over a new connection. */
static void test_silent(void **state)
{
	struct service s;
	struct auth_client *c;
	struct probe p;

	(void)state;
	service_open(&s);
	c = auth_client_new(&loop, s.path, 1);
	uv_run(&loop, UV_RUN_NOWAIT);
	service_accept(&s);
	service_say(&s, str_c(greeting), false);
	ask(c, &p, "YQ==");
	wait_ms(1600);
	check_int(p.ends, 1);
	check_int(p.outcome, AUTH_TEMP);
	service_accept(&s);
	service_say(&s, str_c(greeting), false);
	ask(c, &p, "YQ==");
	service_hear(&s);
	service_say(&s, STR("OK\t2\tuser=a\n"), false);
	check_int(p.outcome, AUTH_OK);
	auth_client_free(&c);
	uv_run(&loop, UV_RUN_NOWAIT);
	service_close(&s);
}

static void test_paths(void **state)
{
	static const char *const paths[] = {
		"private/nosuch", "unix:", "inet:localhost", "inet:127.0.0.1:x", "inet:127.0.0.1:1",
		"/a/path/that/is/much/too/long/for/a/socket/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	};

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct auth_client *c = auth_client_new(&loop, paths[i], 1);
		struct probe p;

		ask(c, &p, "AGEAYg==");
		wait_ms(20);
		check_int(p.ends, 1);
		check_int(p.outcome, AUTH_TEMP);
		auth_client_free(&c);
		check(c == NULL);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers), cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_challenges), cmocka_unit_test(test_binding),
		cmocka_unit_test(test_binding_with_a_challenge), cmocka_unit_test(test_all_fields),
		cmocka_unit_test(test_away), cmocka_unit_test(test_replaced), cmocka_unit_test(test_silent),
		cmocka_unit_test(test_paths) };
	int r;

	/* A check that fails leaves its client behind, which would keep the loops of the next tests going for ever. */
	alarm(180);
	uv_loop_init(&loop);
	r = test_run(tests);
	uv_loop_close(&loop);
	return r;
}
