/*
 * What a client may say to authd on a client socket: AUTH, CONT, CANCEL, with the mechanisms behind them. The store of
 * passwords is replaced by a rule (the password of "u" is "right"; SCRAM keys are of no password). Oracle: no OK without
 * "right" for that user.
 */
#include "../../src/authd/exchange.c"
#include "../../src/authd/login.c"
#include "../../src/authd/query.c"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_client_ended;
static unsigned n_right;

void check_proven(struct login *l)
{
	require(l == NULL); /* nobody has the password */
}

void check_denied(struct login *l)
{
	require(l == NULL); /* no token is good */
}

void oauth2_check(struct login *l)
{
	require(l->vars.pass.n >= 1 && l->vars.pass.n <= SASL_TOKEN_MAX);
	l->is_unknown = true;
	login_key(l, STR(""));
}

void check_start(struct login *l)
{
	if (l->wants_key) {
		login_key(l, STR("4096,JU+R9WqCKkIupul2Kcn3dg==,JlJN1A9zlYMDJy6uTGJ7XzmSKEyGjQh93N6ZORAgygs=,"
				 "TKM3iaAJIldkR5lOXfe7diBvW9O3SB7mLNcrerronV4="));
	} else if (str_eq(l->vars.user, STR("u")) && str_eq(l->vars.pass, STR("right"))) {
		n_right++;
		login_succeed(l);
	} else if (l->vars.pass.n % 3 == 0) {
		login_temp_fail(l);
	} else {
		login_fail(l, NULL, "wrong");
	}
}

void client_send_soon(struct client *c)
{
	(void)c;
}

void client_end(struct client *c, const char *why)
{
	(void)why;
	is_client_ended = true;
	login_drop_all(c);
}

static void feed(struct client *c, struct str in)
{
	struct str line, word;
	size_t used;

	while (!is_client_ended && auth_line_next(in, &used, &line) == 1) {
		in = str_from(in, used);
		if (auth_field(&line, &word))
			login_line(c, word, line);
	}
}

static unsigned count_ok(struct str out)
{
	unsigned n = 0;
	struct str line;

	while (str_field(&out, "\n", &line))
		n += str_has_prefix(line, STR("OK\t"));
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_quiet;
	struct settings set = { .mech = { &sasl_plain, &sasl_login, &sasl_scram_sha256, &sasl_scram_sha256_plus,
					&sasl_cram_md5, &sasl_external, &sasl_oauthbearer, &sasl_xoauth2 },
		.n_mechs = 8,
		.username_translation = "",
		.username_chars = "",
		.default_realm = "",
		.master_separator = "*",
		.failure_delay_ms = 1 };
	struct authd a = { .set = &set };
	struct client c = { .authd = &a, .out = BUF_INIT(16 * 1024 * 1024) };
	uv_loop_t loop;

	if (!is_quiet)
		log_open(LOG_TO_FD, "fuzz", open("/dev/null", O_WRONLY), 0);
	is_quiet = true;
	is_client_ended = false;
	n_right = 0;
	uv_loop_init(&loop);
	a.child.loop = &loop;
	uv_timer_init(&loop, &a.tick);
	c.minor = size ? data[0] % 5 : 0;
	login_greet(&c);
	feed(&c, str_from(str_pn(data, size), 1));
	uv_run(&loop, UV_RUN_DEFAULT); /* delayed answers */
	require(count_ok(buf_str(&c.out)) == n_right);
	login_sweep(&c);
	login_drop_all(&c);
	require(c.n_logins == 0 && a.waiting.n == 0);
	waiting_free(&a.waiting);
	buf_free(&c.out);
	uv_close((uv_handle_t *)&a.tick, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	require(uv_loop_close(&loop) == 0);
	return 0;
}
