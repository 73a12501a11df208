/*
 * world_test.h - what tests of logins share: an authd with one client of which nobody reads the answers, no listener and no
 * jail; the databases are the test's.
 */
#ifndef AUTHD_WORLD_TEST_H
#define AUTHD_WORLD_TEST_H

#include "authd/login.h"
#include "base/test.h"
#include "sasl/base64.h"

/* All five are zeroed, and live until authd_test_end(). */
static inline void authd_test_begin(
	struct authd *a, struct settings *set, struct client *c, uv_loop_t *loop, const struct sasl_mech *mech)
{
	uv_loop_init(loop);
	*set = (struct settings){ .mech = { mech },
		.n_mechs = 1,
		.username_chars = "",
		.username_translation = "",
		.default_realm = "",
		.master_separator = "",
		.upgrade_scheme = "",
		.new_credentials = "",
		.new_scheme = "SHA256-CRYPT" };
	a->set = set;
	a->child.loop = loop;
	pool_init(&a->hashes, loop, 1, 8, 10000);
	a->verdicts = verdicts_new();
	uv_timer_init(loop, &a->tick);
	/* "Dirty": nobody sends what is in c->out. */
	*c = (struct client){ .authd = a, .fd = -1, .is_dirty = true, .has_version = true, .minor = 4 };
	c->out = BUF_INIT(65536);
}

/* A passdb without rules of its own, the last one; its index. */
static inline size_t authd_test_add_passdb(struct settings *set, enum db_kind kind, const char *name)
{
	size_t i = set->n_passdbs++;

	set->passdb[i] = (struct db){ .kind = kind,
		.name = name,
		.file = "FILE",
		.sql = { .file = "FILE", .connect = "", .scheme = "PLAIN" },
		.on_failure = RULE_CONTINUE,
		.on_internalfail = RULE_CONTINUE,
		.mechanisms = "",
		.username_filter = "" };
	return i;
}

/* Logins are dropped, the loop runs to its end, and what authd kept is freed. */
static inline void authd_test_end(struct authd *a, struct client *c)
{
	login_drop_all(c);
	uv_timer_stop(&a->tick);
	uv_close((uv_handle_t *)&a->tick, NULL);
	uv_run(a->child.loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < a->set->n_passdbs; i++)
		if (a->database[i].set)
			database_end(&a->database[i]);
	uv_run(a->child.loop, UV_RUN_DEFAULT);
	check_int(uv_loop_close(a->child.loop), 0);
	for (size_t i = 0; i < a->set->n_passdbs; i++)
		buf_wipe(&a->dummy[i]);
	buf_wipe(&a->key_like);
	row_cache_free(&a->cache);
	verdicts_free(&a->verdicts);
	waiting_free(&a->waiting);
	defence_free(&a->defence);
	buf_wipe(&c->out);
}

/* The AUTH line of a PLAIN login; `params`: "", or more of them, each behind a TAB. */
static inline void authd_test_plain(
	struct client *c, unsigned id, const char *user, const char *pass, const char *params)
{
	struct buf raw = BUF_INIT(1024), line = BUF_INIT(1024);

	buf_addf(&raw, "%c%s%c%s", 0, user, 0, pass);
	buf_addf(&line, "%u\tPLAIN\tservice=smtp%s\tresp=", id, params);
	base64_encode(&line, buf_str(&raw));
	check_int(login_line(c, STR("AUTH"), buf_str(&line)), 0);
	buf_wipe(&raw);
	buf_wipe(&line);
}

#endif
