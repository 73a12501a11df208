/*
 * The userdb and master sockets: who exists, and what is known of him. Lines to the letter of docs/protocol/auth.md
 * section "userdb and master sockets".
 */
#include "authd/authd.h"

#include "auth/auth_proto.h"
#include "authd/db.h"
#include "authd/fields.h"
#include "authd/handover.h"
#include "authd/login.h"
#include "authd/mask.h"
#include "authd/users_impl.h"
#include "authd/verify.h"
#include "base/log.h"

#include <stdlib.h>

struct ask { /* one USER or PASS */
	struct lookup lookup;
	struct authd *authd;
	struct client *client; /* NULL: gone */
	struct ask *next;
	struct arena *mem;
	struct vars vars;
	uint32_t id;
	struct db_chain chain;
	const struct sql_row *kept; /* what the blocks so far say of the user */
	bool is_pass;
	struct handover *handover; /* REQUEST: whose login; else NULL */
};

static void ask_free(struct ask *q)
{
	if (q->client) {
		struct ask **at = &q->client->asks;

		while (*at != q)
			at = &(*at)->next;
		*at = q->next;
	}
	handover_free(&q->handover);
	arena_wipe(&q->mem);
	free(q);
}

static struct ask *ask_new(struct client *c, uint32_t id)
{
	struct ask *q = xcalloc(1, sizeof *q);

	q->mem = arena_new(0);
	q->authd = c->authd;
	q->client = c;
	q->next = c->asks;
	c->asks = q;
	q->id = id;
	return q;
}

static void answer(struct ask *q, const char *word, const char *reason)
{
	struct client *c = q->client;

	buf_addf(&c->out, "%s\t%u", word, q->id);
	if (reason)
		auth_add_field(&c->out, "reason=", str_c(reason));
	buf_add_char(&c->out, '\n');
	client_send_soon(c);
	ask_free(q);
}

static void add_pair(struct buf *out, struct str key, struct str value)
{
	buf_add_char(out, '\t');
	auth_escape(out, key);
	buf_add_char(out, '=');
	auth_escape(out, value);
}

/* uid and gid go out as numbers, whatever the table says. */
static struct str numeric(struct ask *q, struct str name, struct str value)
{
	const struct accounts *accounts = &q->authd->accounts;
	uint64_t n;
	unsigned id;

	if (str_u64(value, &n))
		return value;
	if ((str_ieq(name, STR("uid")) && accounts_uid(accounts, arena_cdup(q->mem, value), &id)) ||
		(str_ieq(name, STR("gid")) && accounts_gid(accounts, arena_cdup(q->mem, value), &id)))
		return str_c(arena_printf(q->mem, "%u", id));
	return value;
}

static bool is_name_column(struct str name)
{
	return str_ieq(name, STR("user")) || str_ieq(name, STR("username")) || str_ieq(name, STR("domain"));
}

static bool may_see(const struct client *c, struct str uid)
{
	uint64_t n;

	return !c->is_restricted || (str_u64(uid, &n) && n == c->peer_uid);
}

/* Why the uid or gid of a row is none; NULL: both are numbers, or names of this machine. */
static const char *id_fault(struct ask *q, const struct sql_row *row)
{
	uint64_t n;

	for (size_t i = 0; i < row->n; i++) {
		const struct sql_field *f = &row->field[i];

		if (f->is_null)
			continue;
		if ((str_ieq(f->name, STR("uid")) || str_ieq(f->name, STR("gid"))) &&
			!str_u64(numeric(q, f->name, f->value), &n))
			return arena_printf(q->mem, "%.*s \"%.*s\" is no number and no name of this machine",
				STR_ARG(f->name), STR_ARG(f->value));
		if (str_ieq(f->name, STR("uidgid_file")))
			return "uidgid_file is not supported; the userdb has to give uid and gid";
	}
	return NULL;
}

static void end_row(struct ask *q)
{
	buf_add_char(&q->client->out, '\n');
	client_send_soon(q->client);
	ask_free(q);
}

static void answer_pass(struct ask *q, const struct sql_row *row)
{
	struct client *c = q->client;
	struct str other = fields_get(row, "login_user");
	const char *why;

	if (row_permits(row, &q->vars, &why) != DB_OK) {
		answer(q, "NOTFOUND", NULL);
		return;
	}
	buf_addf(&c->out, "PASS\t%u", q->id);
	auth_add_field(&c->out, "user=", other.n ? other : q->vars.user);
	for (size_t i = 0; i < row->n; i++)
		if (!fields_is_own(row->field[i].name) && !row->field[i].is_null)
			add_pair(&c->out, row->field[i].name, row->field[i].value);
	end_row(q);
}

static void answer_user(struct ask *q, const struct sql_row *row)
{
	struct client *c = q->client;
	const struct sql_field *uid = sql_field_find(row, "uid");
	const char *fault = id_fault(q, row);

	if (fault)
		log_warn("auth: userdb: user=<%.*s>: %s", STR_ARG(q->vars.user), fault);
	if (fault || !may_see(c, uid ? numeric(q, uid->name, uid->value) : STR(""))) {
		answer(q, fault ? "FAIL" : "NOTFOUND", NULL);
		return;
	}
	buf_addf(&c->out, "USER\t%u\t", q->id);
	auth_escape(&c->out, q->vars.user);
	for (size_t i = 0; i < row->n; i++) {
		const struct sql_field *f = &row->field[i];
		bool is_old = str_ieq(f->name, STR("system_user"));

		if (!is_name_column(f->name) && !str_ieq(f->name, STR("tempfail")) && !f->is_null)
			add_pair(&c->out, is_old ? STR("system_groups_user") : f->name, numeric(q, f->name, f->value));
	}
	if (q->handover)
		handover_add(q->authd, q->handover, q->vars.user, &c->out);
	end_row(q);
}

static void answer_row(struct ask *q)
{
	const struct sql_row *row = q->kept ? q->kept : fields_merge(NULL, NULL, q->mem);

	if (q->is_pass)
		answer_pass(q, row);
	else
		answer_user(q, row);
}

static void ask(struct ask *q);

static void on_step(struct ask *q, enum db_step step)
{
	if (step == DB_ASK)
		ask(q);
	else if (step == DB_TEMP || (step == DB_ACCEPT && !q->is_pass && fields_is_set(q->kept, "tempfail")))
		answer(q, "FAIL", NULL);
	else if (step == DB_ACCEPT)
		answer_row(q);
	else
		answer(q, "NOTFOUND", NULL);
}

static void on_rows(struct ask *q)
{
	const struct sql_row *rows = q->lookup.rows;

	if (q->lookup.result == LOOKUP_FAILED) {
		on_step(q, db_chain_after(&q->chain, DB_FAILED));
		return;
	}
	if (rows) {
		const struct sql_row *own = db_fields(&q->chain.db[q->chain.at], rows, &q->vars, q->is_pass, q->mem);

		q->kept = fields_merge(q->kept, own, q->mem);
		vars_set_user(&q->vars, fields_user(own, q->vars.user, q->is_pass, q->mem));
		*(q->is_pass ? &q->vars.passdb : &q->vars.userdb) = q->kept;
	}
	on_step(q, db_chain_after(&q->chain, rows ? DB_OK : DB_UNKNOWN));
}

static void on_lookup(struct lookup *l)
{
	struct ask *q = container_of(l, struct ask, lookup);

	if (q->client)
		on_rows(q);
	else
		ask_free(q);
}

static void ask(struct ask *q)
{
	q->lookup = (struct lookup){ .done = on_lookup };
	if (db_lookup(&q->lookup, q->authd, q->is_pass, q->chain.at, &q->vars, q->mem, true))
		on_rows(q);
}

/* Are all passdbs of those that only say whether a password is right? */
static bool has_no_credentials(const struct settings *set)
{
	size_t i = 0;

	while (i < set->n_passdbs && verify_is_alone(&set->passdb[i]))
		i++;
	return i == set->n_passdbs;
}

static void ask_first(struct ask *q)
{
	const struct settings *set = q->authd->set;

	if (q->is_pass && has_no_credentials(set)) {
		answer(q, "FAIL", "Configured passdbs don't support credentials lookups");
		return;
	}
	q->chain = (struct db_chain){ .db = q->is_pass ? set->passdb : set->userdb,
		.n = q->is_pass ? set->n_passdbs : set->n_userdbs,
		.is_passdb = q->is_pass,
		.user = q->vars.user };
	on_step(q, db_chain_first(&q->chain));
}

static int refuse(struct client *c, const char *why)
{
	client_end(c, why);
	return -1;
}

/* The socket is open to everybody, and this is not one of those whom it is for. */
static int deny(struct client *c, uint32_t id, const char *word)
{
	if (!c->is_told)
		log_warn("auth: %s: uid %u asked for %s, which there is for the socket's owner and group only, as its "
			 "mode is 0666; give it mode = 0660 and the group of those who may (%s, line %u)",
			c->listener->set->path, (unsigned)c->peer_uid, word, c->listener->set->file,
			c->listener->set->line);
	c->is_told = true;
	if (strcmp(word, "LIST") == 0)
		buf_addf(&c->out, "DONE\t%u\tfail\n", id);
	else
		buf_addf(&c->out, "FAIL\t%u\treason=not permitted to this user\n", id);
	client_send_soon(c);
	return 0;
}

static int on_ask(struct client *c, uint32_t id, struct str rest, bool is_pass)
{
	struct ask *q = ask_new(c, id);
	struct str field, name;
	const char *why;

	q->is_pass = is_pass;
	if (!auth_field(&rest, &name)) {
		ask_free(q);
		return refuse(c, "USER or PASS without a user name");
	}
	name = auth_unescape(q->mem, name);
	while (auth_field(&rest, &field))
		login_param(&q->vars, field, q->mem);
	q->vars.orig_user = arena_dup(q->mem, name);
	if (is_pass && c->listener->set->type != LISTEN_MASTER)
		answer(q, "FAIL", "PASS is answered on a master socket only");
	else if (username_normalise(c->authd->set, &q->vars, q->vars.orig_user, q->mem, &why) < 0)
		answer(q, "NOTFOUND", NULL);
	else
		ask_first(q);
	return 0;
}

static int on_user(struct client *c, uint32_t id, struct str rest)
{
	return on_ask(c, id, rest, false);
}

static int on_pass(struct client *c, uint32_t id, struct str rest)
{
	if (c->is_restricted && c->listener->set->type == LISTEN_MASTER)
		return deny(c, id, "PASS");
	return on_ask(c, id, rest, true);
}

/* ---- LIST ---- */

static void listing_free(struct listing *g)
{
	if (g->client)
		g->client->listing = NULL;
	arena_wipe(&g->mem);
	free(g);
}

static void list_next_db(struct listing *g);

void users_more(struct client *c)
{
	struct listing *g = c->listing;

	if (g == NULL || !g->ready)
		return;
	while (g->next && c->out.n < LIST_CHUNK) {
		struct str user = fields_user(g->next, STR(""), false, g->mem);

		if (user.n && (g->mask.n == 0 || mask_matches(g->mask, user))) {
			buf_addf(&c->out, "LIST\t%u\t", g->id);
			auth_escape(&c->out, user);
			buf_add_char(&c->out, '\n');
		}
		g->next = g->next->next;
	}
	client_send_soon(c);
	if (g->next == NULL) {
		g->ready = false;
		g->userdb++;
		list_next_db(g);
	}
}

static void on_list(struct lookup *l)
{
	struct listing *g = container_of(l, struct listing, lookup);

	if (g->client == NULL) {
		listing_free(g);
		return;
	}
	g->failed |= l->result == LOOKUP_FAILED;
	g->next = l->rows;
	g->ready = true;
	users_more(g->client);
}

static void list_next_db(struct listing *g)
{
	struct authd *a = g->client->authd;

	while (g->userdb < a->set->n_userdbs && !db_is_listable(&a->set->userdb[g->userdb]))
		g->userdb++;
	if (g->userdb < a->set->n_userdbs) {
		g->lookup = (struct lookup){ .done = on_list };
		if (db_list(&g->lookup, a, g->userdb, g->mem))
			on_list(&g->lookup);
		return;
	}
	buf_addf(&g->client->out, "DONE\t%u\t%s\n", g->id, g->failed ? "fail" : "");
	client_send_soon(g->client);
	listing_free(g);
}

static int on_list_request(struct client *c, uint32_t id, struct str rest)
{
	struct listing *g;
	struct str field, value;

	if (c->listing) {
		buf_addf(&c->out, "DONE\t%u\tfail\n", id);
		client_send_soon(c);
		return 0;
	}
	g = xcalloc(1, sizeof *g);
	g->mem = arena_new(0);
	g->client = c;
	g->id = id;
	while (auth_field(&rest, &field))
		if (auth_is_key(field, "user=", &value))
			g->mask = arena_dup(g->mem, auth_unescape(g->mem, value));
	c->listing = g;
	list_next_db(g);
	return 0;
}

void users_drop(struct client *c)
{
	struct ask *q;

	while ((q = c->asks) != NULL) {
		c->asks = q->next;
		q->client = NULL; /* freed when its answer comes */
		q->lookup.job.cancelled = true;
	}
	if (c->listing == NULL)
		return;
	c->listing->client = NULL;
	if (c->listing->ready)
		listing_free(c->listing);
	c->listing = NULL;
}

/* ---- the rest ---- */

/* Who is it that logged in? A userdb says it; or a passdb has said it already (driver = prefetch). */
static int on_request(struct client *c, uint32_t id, struct str rest)
{
	struct handover *h;
	struct ask *q;
	int r = handover_take(c, rest, &h);

	if (r < 0)
		return refuse(c, "REQUEST without process, number and cookie of a login");
	q = ask_new(c, id);
	q->handover = h;
	if (r > 0) {
		answer(q, "FAIL", NULL);
		return 0;
	}
	q->vars = h->vars;
	if (h->prefetched && c->authd->set->has_prefetch) {
		q->kept = fields_import(h->prefetched, false, q->mem);
		vars_set_user(&q->vars, fields_user(q->kept, q->vars.user, false, q->mem));
		answer_row(q);
	} else {
		ask_first(q);
	}
	return 0;
}

static const struct {
	const char *word;
	bool on_master_only, is_for_all; /* is_for_all: it looks itself at who asks */
	int (*run)(struct client *c, uint32_t id, struct str rest);
} commands[] = {
	{ "USER", false, true, on_user },
	{ "PASS", false, true, on_pass },
	{ "LIST", false, false, on_list_request },
	{ "REQUEST", true, false, on_request },
	{ "CACHE-FLUSH", true, false, users_cache_flush },
	{ "CACHE-STATUS", true, false, users_cache_status },
};

/* As Dovecot: its own log says then what it has to look at. */
static int refuse_login(struct client *c)
{
	if (!c->listener->has_told)
		log_warn("auth: %s is a userdb or master socket, and somebody wants to log in there: let its "
			 "smtpd_sasl_path name another one",
			c->listener->set->path);
	c->listener->has_told = true;
	return refuse(c, NULL);
}

int users_line(struct client *c, struct str word, struct str rest)
{
	struct str field = { 0 };
	uint32_t id;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (!str_eq(word, str_c(commands[i].word)))
			continue;
		if (commands[i].on_master_only && c->listener->set->type != LISTEN_MASTER)
			break;
		auth_field(&rest, &field);
		if (!auth_id(field, &id))
			return refuse(c, "a command without a valid number");
		if (c->is_restricted && !commands[i].is_for_all)
			return deny(c, id, commands[i].word);
		return commands[i].run(c, id, rest);
	}
	if (str_eq(word, STR("CPID")))
		return refuse_login(c);
	return refuse(c, "an unknown command");
}
