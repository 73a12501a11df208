/*
 * What may be said to authd on a userdb, master or control socket: USER, PASS, LIST, REQUEST, CACHE-FLUSH, CACHE-STATUS, WATCH. The
 * databases are replaced by a rule (there is "u", and nobody else). Oracle: a password on a master socket only, a login handed over
 * once and with its cookie only, nothing kept at the end.
 */
#include "../../src/authd/db.h"
#include "../../src/authd/handover.h"
#include "../../src/authd/trace.h"
#include "../../src/auth/auth_proto.h"
#include "../../src/base/log.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PID = 7, ID = 3 };
#define COOKIE "00112233445566778899aabbccddeeff"

static bool is_ended;

void client_end(struct client *c, const char *why)
{
	(void)c;
	(void)why;
	is_ended = true;
}

void client_send_soon(struct client *c)
{
	(void)c;
}

static struct sql_field fields[] = { { STR("user"), STR("u"), false }, { STR("password"), STR("{PLAIN}secret"), false },
	{ STR("uid"), STR("5"), false } };
static struct sql_row row = { fields, 3, NULL };

int db_lookup(struct lookup *l, struct authd *a, bool is_passdb, size_t i, const struct vars *v, struct arena *mem,
	bool use_cache)
{
	(void)a, (void)is_passdb, (void)i, (void)mem, (void)use_cache;
	l->result = str_eq(v->user, STR("down")) ? LOOKUP_FAILED : LOOKUP_DONE;
	l->rows = str_eq(v->user, STR("u")) ? &row : NULL;
	return 1;
}

struct sql_row *db_fields(
	const struct db *db, const struct sql_row *r, const struct vars *v, bool is_passdb, struct arena *mem)
{
	static struct sql_row own;

	(void)db, (void)v, (void)mem;
	own = *r;
	if (!is_passdb) {
		own.field = fields + 2;
		own.n = 1;
	}
	return &own;
}

bool db_is_listable(const struct db *db)
{
	(void)db;
	return true;
}

int db_list(struct lookup *l, struct authd *a, size_t i, struct arena *mem)
{
	(void)a, (void)i, (void)mem;
	l->result = LOOKUP_DONE;
	l->rows = &row;
	return 1;
}

static void feed(struct client *c, struct str in)
{
	struct str line, word;
	size_t used;

	while (!is_ended && auth_line_next(in, &used, &line) == 1) {
		in = str_from(in, used);
		if (!auth_field(&line, &word))
			continue;
		if (c->listener->set->type == LISTEN_CONTROL)
			trace_line(c, word, line);
		else
			users_line(c, word, line);
		require(c->listing == NULL || c->listing->ready);
		if (!is_ended)
			users_more(c);
	}
}

static unsigned count(struct str out, struct str prefix, const char *within)
{
	unsigned n = 0;
	struct str line;

	while (str_field(&out, "\n", &line)) {
		char text[4096];

		snprintf(text, sizeof text, "%.*s", (int)(line.n < 4000 ? line.n : 4000), line.n ? line.p : "");
		n += str_has_prefix(line, prefix) && strstr(text, within) != NULL;
	}
	return n;
}

static void add_handover(struct client *login, struct authd *a)
{
	struct arena *mem = arena_new(0);
	struct login l = { .client = login,
		.authd = a,
		.id = ID,
		.mech = &sasl_plain,
		.mem = mem,
		.vars = {
			.user = STR("u"), .orig_user = STR("U"), .mechanism = STR("PLAIN"), .service = STR("smtp") } };

	handover_keep(&l);
	arena_free(&mem);
	require(login->n_handovers == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum listener_type types[] = { LISTEN_MASTER, LISTEN_USERDB, LISTEN_CONTROL };
	static bool is_quiet;
	struct db db = { .name = "sql", .mechanisms = "", .username_filter = "", .on_failure = RULE_CONTINUE };
	struct settings set = { .n_passdbs = 1,
		.n_userdbs = 1,
		.username_translation = "",
		.username_chars = "",
		.default_realm = "",
		.master_separator = "" };
	unsigned kind = size ? data[0] % 6 : 0;
	struct listener_settings own = { .type = types[kind % 3], .path = "private/auth-userdb" },
				 login_set = { .type = LISTEN_LOGIN };
	struct listener listener = { .set = &own }, login_listener = { .set = &login_set };
	struct authd a = { .set = &set, .verdicts = verdicts_new(), .cache = row_cache_new(4096, 1000, 1000) };
	struct client c = { .authd = &a,
		.listener = &listener,
		.fd = -1,
		.is_restricted = kind >= 3,
		.peer_uid = 4,
		.out = BUF_INIT(16 * 1024 * 1024) },
		      login = { .authd = &a, .listener = &login_listener, .has_cpid = true, .cpid = PID, .fd = -1 };
	uv_loop_t loop;

	if (!is_quiet)
		log_open(LOG_TO_FD, "fuzz", open("/dev/null", O_WRONLY), 0);
	is_quiet = true;
	is_ended = false;
	set.passdb[0] = set.userdb[0] = db;
	uv_loop_init(&loop);
	a.child.loop = &loop;
	a.clients = &login;
	for (size_t i = 0; i < sizeof login.cookie; i++)
		login.cookie[i] = (unsigned char)(i * 0x11);
	add_handover(&login, &a);
	feed(&c, str_from(str_pn(data, size), 1));
	if (own.type != LISTEN_MASTER || c.is_restricted)
		require(count(buf_str(&c.out), STR("PASS\t"), "") == 0);
	require(count(buf_str(&c.out), STR("USER\t"), "secret") == 0);
	if (memmem(data, size, COOKIE, sizeof COOKIE - 1) == NULL)
		require(login.n_handovers == 1);
	require(count(buf_str(&c.out), STR("USER\t"), "auth_mech=") <= 1 - login.n_handovers);
	users_drop(&c);
	trace_drop(&c);
	handover_drop(&login);
	require(c.asks == NULL && a.watchers == NULL && login.handovers == NULL && login.n_handovers == 0);
	buf_free(&c.out);
	verdicts_free(&a.verdicts);
	row_cache_free(&a.cache);
	require(uv_loop_close(&loop) == 0);
	return 0;
}
