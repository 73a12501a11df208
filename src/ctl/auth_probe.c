/* `gatepost auth test`: one login over the socket that smtpd uses, and what there is to know of it. */
#include "ctl/auth_probe.h"

#include "auth/auth_client.h"
#include "auth/auth_proto.h"
#include "ctl/user.h"
#include "sasl/base64.h"
#include "sasl/sasl_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	EXIT_GOOD = 0,
	EXIT_REFUSED = 1,
	EXIT_UNKNOWN = 2,
	EXIT_AUTH_USAGE = 64,
	ANSWER_S = 20,
	WAIT_MS = 2000,
	MESSAGE_MAX = 16384,
	BINDING_OCTETS = 32
};

struct options {
	enum sasl_client_mech mech; /* NONE: choose */
	bool as_json;
	const char *user, *service, *remote_ip, *local_ip;
	const char *cert; /* whose certificate the client has shown; NULL: none */
};

struct test {
	struct options opt;
	const char *socket; /* smtpd_sasl_path */
	struct report report;
	struct auth_request request;
	struct auth_client *client;
	struct sasl_client sasl;
	uv_timer_t wait; /* for the service to come up */
	struct buf pass, initial;
	char session[33];
	unsigned char binding[BINDING_OCTETS];
	int watch;
	int code;
};

/* ---- the end ---- */

static void end_test(struct test *t, int code, struct str reason)
{
	t->code = code;
	t->report.outcome = code == EXIT_GOOD ? "ok" : code == EXIT_REFUSED ? "failed" : "temporary failure";
	t->report.reason = arena_cdup(t->report.mem, reason);
	auth_client_free(&t->client);
	if (!uv_is_closing((uv_handle_t *)&t->wait))
		uv_close((uv_handle_t *)&t->wait, NULL);
}

/* It ends for a reason of ours. */
static void end_here(struct test *t, int code, const char *reason)
{
	t->report.is_own = true;
	end_test(t, code, str_c(reason));
}

/* The line that ends it, as it came but for what is secret. */
static void on_answer(struct auth_request *r, struct str word, struct str fields)
{
	struct test *t = container_of(r, struct test, request);
	struct report_step *s = report_add(&t->report, "answer", uv_hrtime());
	struct buf b = BUF_INIT(MESSAGE_MAX);
	struct str field;

	buf_add_str(&b, word);
	while (auth_field(&fields, &field)) {
		ptrdiff_t eq = str_chr(field, '=');
		struct str name = str_sub(field, 0, eq < 0 ? field.n : (size_t)eq);

		buf_add_char(&b, ' ');
		if (auth_is_secret(name))
			buf_addf(&b, "%.*s=(not shown)", STR_ARG(name));
		else
			buf_add_str(&b, auth_unescape(t->report.mem, field));
	}
	report_pair(&t->report, s, "message", buf_str(&b));
	buf_free(&b);
}

static void on_end(struct auth_request *r, enum auth_outcome outcome, struct str user, struct str reason)
{
	struct test *t = container_of(r, struct test, request);

	t->report.service_user = arena_dup(t->report.mem, user);
	if (outcome == AUTH_OK && !t->sasl.is_proven)
		end_here(t, EXIT_REFUSED, "the service says OK, and has not proved that it knows the password");
	else
		end_test(t,
			outcome == AUTH_OK				? EXIT_GOOD
			: outcome == AUTH_TEMP || outcome == AUTH_LATER ? EXIT_UNKNOWN
									: EXIT_REFUSED,
			reason);
}

/* ---- the exchange ---- */

static bool is_scram(const struct test *t)
{
	return t->sasl.mech >= SASL_CLIENT_SCRAM_SHA512_PLUS && t->sasl.mech <= SASL_CLIENT_SCRAM_SHA1;
}

static bool is_plus(const struct test *t)
{
	return t->sasl.mech >= SASL_CLIENT_SCRAM_SHA512_PLUS && t->sasl.mech <= SASL_CLIENT_SCRAM_SHA1_PLUS;
}

/* What is in the message that we send as number `turn`, from 1 on; never the message. */
static const char *our_message(const struct test *t, unsigned turn)
{
	switch (t->sasl.mech) {
	case SASL_CLIENT_PLAIN:
		return "name and password";
	case SASL_CLIENT_LOGIN:
		return turn == 1 ? "the name" : "the password";
	case SASL_CLIENT_CRAM_MD5:
		return "name and digest";
	case SASL_CLIENT_OAUTHBEARER:
	case SASL_CLIENT_XOAUTH2:
		return turn == 1 ? "name and token" : "the error was seen";
	case SASL_CLIENT_EXTERNAL:
		return "nothing: the certificate says who it is";
	case SASL_CLIENT_ANONYMOUS:
		return "the trace information";
	default:
		return turn == 1 ? "name and nonce" : turn == 2 ? "the proof of the password" : "nothing more";
	}
}

static void say_sent(struct test *t, unsigned turn, const char *before)
{
	struct report_step *s = report_add(&t->report, "sent", uv_hrtime());

	report_pair(&t->report, s, "message", str_c(arena_printf(t->report.mem, "%s%s", before, our_message(t, turn))));
}

/* "r=…,s=…,i=…" (RFC 5802 sec. 5.1): the salt is not ours to show. */
static const char *server_first(struct arena *mem, struct str m)
{
	struct buf salt = BUF_INIT(1024);
	struct str count = STR("?"), field;
	size_t n = 0;

	while (str_field(&m, ",", &field)) {
		if (str_has_prefix(field, STR("s=")) && base64_decode(&salt, str_from(field, 2)) == 0)
			n = salt.n;
		else if (str_has_prefix(field, STR("i=")))
			count = str_from(field, 2);
	}
	buf_free(&salt);
	return arena_printf(mem, "a salt of %zu octets and %.*s iterations", n, STR_ARG(count));
}

static const char *their_message(struct test *t, struct str raw)
{
	struct arena *mem = t->report.mem;

	if (is_scram(t))
		return t->sasl.turn == 1 ? server_first(mem, raw) : "its own proof";
	if (t->sasl.mech == SASL_CLIENT_OAUTHBEARER || t->sasl.mech == SASL_CLIENT_XOAUTH2)
		return arena_printf(mem, "refuses the token: %.*s", STR_ARG(str_sub(raw, 0, 500)));
	return arena_printf(mem, "a challenge of %zu octets", raw.n);
}

static void on_challenge(struct auth_request *r, struct str challenge)
{
	struct test *t = container_of(r, struct test, request);
	struct buf raw = BUF_INIT(MESSAGE_MAX), answer = BUF_INIT(MESSAGE_MAX), base64 = BUF_INIT(2 * MESSAGE_MAX);
	struct report_step *s = report_add(&t->report, "challenge", uv_hrtime());
	bool is_good = base64_decode(&raw, challenge) == 0;

	report_pair(&t->report, s, "message",
		str_c(is_good ? their_message(t, buf_str(&raw)) : "a challenge that is no base64"));
	if (is_good && sasl_client_answer(&t->sasl, buf_str(&raw), &answer) == 0) {
		base64_encode(&base64, buf_str(&answer));
		say_sent(t, t->sasl.turn, "");
		auth_continue(r, buf_str(&base64));
	} else {
		auth_cancel(r);
		end_here(t, t->sasl.why ? EXIT_REFUSED : EXIT_UNKNOWN,
			t->sasl.why ? arena_printf(t->report.mem, "the service %s", t->sasl.why)
				    : "the service asks for more than the mechanism has");
	}
	buf_wipe(&raw);
	buf_wipe(&answer);
	buf_wipe(&base64);
}

/* There is no channel here. Both ends of this test get the same octets, and that is what a binding compares. */
static int on_binding(struct auth_request *r, struct str type, struct buf *out)
{
	struct test *t = container_of(r, struct test, request);
	struct report_step *s = report_add(&t->report, "challenge", uv_hrtime());

	report_pair(&t->report, s, "message",
		str_c(arena_printf(t->report.mem, "asks for the data of the channel (%.*s); made up", STR_ARG(type))));
	return buf_add(out, t->binding, sizeof t->binding);
}

/* ---- which mechanism ---- */

static const char *offers(const struct test *t, struct arena *mem, bool with_flags)
{
	const struct auth_mech *first;
	size_t n = auth_client_mechs(t->client, &first);
	struct buf b = BUF_INIT(MESSAGE_MAX);
	const char *text;

	for (size_t i = 0; i < n; i++) {
		size_t before;

		buf_addf(&b, "%s%.*s", i ? with_flags ? ", " : " " : "", STR_ARG(first[i].name));
		before = b.n;
		if (with_flags)
			auth_add_flags(&b, first[i].flags);
		for (size_t k = before; k < b.n; k++)
			if (b.p[k] == '\t')
				b.p[k] = ' ';
	}
	text = arena_cdup(mem, buf_str(&b));
	buf_free(&b);
	return text;
}

static bool has_word(const char *list, const char *name)
{
	struct str rest = str_c(list), word;

	while (str_word(&rest, " ", &word))
		if (str_ieq(word, str_c(name)))
			return true;
	return false;
}

static enum sasl_client_mech choose(const struct test *t, const char *offered)
{
	if (t->opt.mech != SASL_CLIENT_NONE)
		return has_word(offered, sasl_client_name(t->opt.mech)) ? t->opt.mech : SASL_CLIENT_NONE;
	if (has_word(offered, "PLAIN"))
		return SASL_CLIENT_PLAIN;
	return sasl_client_choose(&(struct sasl_client_choice){ .offered = str_c(offered), .is_tls = true });
}

static void begin(struct test *t)
{
	struct report *r = &t->report;
	const char *offered = offers(t, r->mem, false), *before = "";
	struct report_step *s = report_add(r, "connected", uv_hrtime());
	enum sasl_client_mech m = choose(t, offered);
	struct buf raw = BUF_INIT(MESSAGE_MAX);
	int has_initial;

	report_pair(r, s, "socket", str_c(t->socket));
	report_pair(r, s, "minor", str_c(arena_printf(r->mem, "%u", auth_client_minor(t->client))));
	report_pair(r, s, "offers", str_c(offers(t, r->mem, true)));
	if (m == SASL_CLIENT_NONE) {
		end_here(t, EXIT_REFUSED,
			arena_printf(r->mem, "the service does not offer %s; it offers %s",
				t->opt.mech ? sasl_client_name(t->opt.mech) : "a mechanism that is known here",
				offered));
		return;
	}
	r->mech = sasl_client_name(m);
	sasl_client_init(&t->sasl, m, str_c(t->opt.user), buf_str(&t->pass));
	if (is_plus(t))
		sasl_client_bind(&t->sasl, "tls-exporter", str_pn(t->binding, sizeof t->binding), str_c(offered));
	has_initial = sasl_client_initial(&t->sasl, &raw);
	if (has_initial > 0)
		base64_encode(&t->initial, buf_str(&raw));
	buf_wipe(&raw);
	if (has_initial < 0) {
		end_here(t, EXIT_REFUSED, "this name or password cannot be sent with that mechanism");
		return;
	}
	if (t->opt.cert == NULL && m == SASL_CLIENT_EXTERNAL)
		t->opt.cert = t->opt.user;
	t->request.has_valid_cert = t->opt.cert != NULL;
	t->request.cert_name = str_c(t->opt.cert);
	t->request.mech = str_c(r->mech);
	t->request.has_initial = has_initial > 0;
	t->request.initial = buf_str(&t->initial);
	before = arena_printf(r->mem, "AUTH %s%s", r->mech, has_initial ? ", " : "");
	if (has_initial)
		say_sent(t, 1, before);
	else
		report_pair(r, report_add(r, "sent", uv_hrtime()), "message", str_c(before));
	auth_start(t->client, &t->request);
}

static struct test *the_test; /* auth_client_on_up() has no more than the client */

static void on_up(struct auth_client *c)
{
	auth_client_on_up(c, NULL); /* what the connection does from now on is the request's matter */
	uv_timer_stop(&the_test->wait);
	begin(the_test);
}

static void on_wait(uv_timer_t *timer)
{
	end_here(container_of(timer, struct test, wait), EXIT_UNKNOWN, "the service cannot be reached");
}

/* ---- the command ---- */

static void watch(struct test *t)
{
	unsigned char random[(sizeof t->session - 1) / 2];
	const char *why = NULL;

	if (getrandom(random, sizeof random, 0) != sizeof random ||
		getrandom(t->binding, sizeof t->binding, 0) != sizeof t->binding)
		return;
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(t->session + 2 * i, 3, "%02x", random[i]);
	t->watch = auth_watch(t->session, &why);
	if (t->watch < 0)
		report_pair(&t->report, report_add(&t->report, "unwatched", uv_hrtime()), "why", str_c(why));
}

static void run(struct test *t)
{
	uv_loop_t loop;

	t->report.begin_ns = uv_hrtime();
	watch(t);
	t->request = (struct auth_request){ .service = str_c(t->opt.service),
		.local_ip = str_c(t->opt.local_ip),
		.remote_ip = str_c(t->opt.remote_ip),
		.session = str_c(t->session),
		.secured = true,
		.on_challenge = on_challenge,
		.on_binding = on_binding,
		.on_answer = on_answer,
		.on_end = on_end };
	uv_loop_init(&loop);
	t->client = auth_client_new(&loop, t->socket, ANSWER_S);
	uv_timer_init(&loop, &t->wait);
	uv_timer_start(&t->wait, on_wait, WAIT_MS, 0);
	the_test = t;
	auth_client_on_up(t->client, on_up);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	if (t->watch >= 0)
		auth_watch_read(t->watch, &t->report);
}

static int usage(void)
{
	fputs("usage: gatepost auth test [--mech M] [--json] [--service S] [--rip ADDRESS] [--cert NAME] USER\n"
	      "The password (with OAUTHBEARER and XOAUTH2: the token; with EXTERNAL and ANONYMOUS: none) is one line "
	      "of standard input.\n",
		stderr);
	return EXIT_AUTH_USAGE;
}

static enum sasl_client_mech mech_of(const char *name)
{
	for (int m = SASL_CLIENT_SCRAM_SHA512_PLUS; m < SASL_CLIENT_MECHS; m++)
		if (str_ieq(str_c(name), str_c(sasl_client_name((enum sasl_client_mech)m))))
			return (enum sasl_client_mech)m;
	return SASL_CLIENT_NONE;
}

static bool complain(const char *what, const char *why)
{
	fprintf(stderr, "gatepost: auth test: %s%s\n", what, why);
	return false;
}

/* An address that is none would be no address: for allow_nets, and for what is counted of failed logins. */
static bool is_good(const struct options *o)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, o->remote_ip, address) != 1 && inet_pton(AF_INET6, o->remote_ip, address) != 1)
		return complain(o->remote_ip, " is no address; --rip is one of IPv4 or IPv6, as 192.0.2.1");
	if (*o->service == '\0')
		return complain("--service is empty", "; smtpd's is smtp");
	if (o->user && strlen(o->user) > SASL_CLIENT_NAME_MAX)
		return complain("so long a name cannot be sent", "");
	return o->user && *o->user;
}

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = { { "mech", required_argument, NULL, 'm' },
		{ "json", no_argument, NULL, 'j' }, { "service", required_argument, NULL, 's' },
		{ "rip", required_argument, NULL, 'r' }, { "cert", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 } };
	int option;

	*o = (struct options){ .service = "smtp", .remote_ip = "127.0.0.1", .local_ip = "127.0.0.1" };
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'm')
			o->mech = mech_of(optarg);
		if (option == 'm' && o->mech == SASL_CLIENT_NONE) {
			fprintf(stderr, "gatepost: \"%s\" is no mechanism that can be tested; there are", optarg);
			for (int m = SASL_CLIENT_SCRAM_SHA512_PLUS; m < SASL_CLIENT_MECHS; m++)
				fprintf(stderr, " %s", sasl_client_name((enum sasl_client_mech)m));
			fputc('\n', stderr);
			return false;
		}
		if (option == 'j')
			o->as_json = true;
		else if (option == 's')
			o->service = optarg;
		else if (option == 'r')
			o->remote_ip = optarg;
		else if (option == 'c')
			o->cert = optarg;
		else if (option != 'm')
			return false;
	}
	o->user = argc == optind + 1 ? argv[optind] : NULL;
	return is_good(o);
}

int ctl_auth(const struct conf *conf, int argc, char **argv)
{
	struct test t = { .watch = -1, .pass = BUF_INIT(MESSAGE_MAX), .initial = BUF_INIT(2 * MESSAGE_MAX) };
	const struct conf_view *v = conf_main(conf);

	if (strcmp(argv[0], "unblock") == 0)
		return ctl_auth_unblock(conf, argc, argv);
	if (strcmp(argv[0], "test") != 0 || !parse(argc, argv, &t.opt))
		return usage();
	if (sasl_client_needs_password(t.opt.mech) && ctl_read_password(&t.pass) < 0)
		return EXIT_REFUSED;
	t.socket = conf_str(v, "smtpd_sasl_path");
	t.code = EXIT_UNKNOWN;
	if (chdir(conf_str(v, "queue_directory")) != 0) {
		fprintf(stderr, "gatepost: cannot go to queue_directory %s: %s\n", conf_str(v, "queue_directory"),
			strerror(errno));
	} else {
		t.report.mem = arena_new(0);
		t.report.user = t.opt.user;
		run(&t);
		if (t.opt.as_json)
			report_json(&t.report);
		else
			report_text(&t.report);
		arena_wipe(&t.report.mem);
	}
	buf_wipe(&t.pass);
	buf_wipe(&t.initial);
	mem_wipe(&t.sasl, sizeof t.sasl);
	return t.code;
}
