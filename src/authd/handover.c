#include "authd/handover.h"

#include "auth/auth_proto.h"
#include "authd/fields.h"
#include "base/log.h"

#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- kept ---- */

static struct sql_row *prefetched_of(const struct sql_row *row, struct arena *mem)
{
	struct sql_row *own = arena_alloc(mem, sizeof *own);

	own->field = arena_array(mem, row && row->n ? row->n : 1, sizeof *own->field);
	for (size_t i = 0; row && i < row->n; i++)
		if (str_has_iprefix(row->field[i].name, STR("userdb_")) && !row->field[i].is_null) {
			own->field[own->n].name = arena_dup(mem, str_from(row->field[i].name, 7));
			own->field[own->n++].value = arena_dup(mem, row->field[i].value);
		}
	return own->n ? own : NULL;
}

/* All values but the password; rows are not taken along. */
static void copy_vars(struct vars *to, const struct vars *from, struct arena *mem)
{
	static const size_t members[] = { offsetof(struct vars, service), offsetof(struct vars, local_ip),
		offsetof(struct vars, remote_ip), offsetof(struct vars, local_port), offsetof(struct vars, remote_port),
		offsetof(struct vars, mechanism), offsetof(struct vars, secured), offsetof(struct vars, session),
		offsetof(struct vars, orig_user), offsetof(struct vars, auth_user), offsetof(struct vars, master_user),
		offsetof(struct vars, cert), offsetof(struct vars, local_name), offsetof(struct vars, client_id),
		offsetof(struct vars, real_lip), offsetof(struct vars, real_rip), offsetof(struct vars, real_lport),
		offsetof(struct vars, real_rport) };

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		*(struct str *)(void *)((char *)to + members[i]) =
			arena_dup(mem, *(const struct str *)(const void *)((const char *)from + members[i]));
	vars_set_user(to, arena_dup(mem, from->user));
}

static struct handover **find(struct client *c, uint32_t id)
{
	struct handover **at = &c->handovers;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static struct handover *unlink_at(struct handover **at)
{
	struct handover *h = *at;

	*at = h->next;
	h->next = NULL;
	return h;
}

void handover_free(struct handover **h)
{
	if (*h) {
		arena_wipe(&(*h)->mem);
		free(*h);
	}
	*h = NULL;
}

static void drop_at(struct client *c, struct handover **at)
{
	struct handover *h = unlink_at(at);

	handover_free(&h);
	c->n_handovers--;
}

void handover_keep(const struct login *l)
{
	struct client *c = l->client;
	struct handover *h;

	if (c == NULL || c->listener == NULL || c->listener->set->type != LISTEN_LOGIN ||
		fields_is_set(l->kept, "nologin") || fields_is_set(l->kept, "proxy"))
		return;
	if (*find(c, l->id))
		drop_at(c, find(c, l->id));
	if (c->n_handovers >= LOGINS_MAX)
		return;
	h = xcalloc(1, sizeof *h);
	h->mem = arena_new(512);
	h->id = l->id;
	h->until_ms = uv_now(c->authd->child.loop) + LOGIN_TIMEOUT_MS;
	h->is_anonymous = (l->mech->flags & SASL_ANONYMOUS) != 0;
	h->prefetched = prefetched_of(l->kept, h->mem);
	copy_vars(&h->vars, &l->vars, h->mem);
	h->next = c->handovers;
	c->handovers = h;
	c->n_handovers++;
}

void handover_drop(struct client *c)
{
	while (c->handovers)
		drop_at(c, &c->handovers);
}

void handover_sweep(struct client *c)
{
	uint64_t now = uv_now(c->authd->child.loop);
	struct handover **at = &c->handovers;

	while (*at)
		if ((*at)->until_ms <= now)
			drop_at(c, at);
		else
			at = &(*at)->next;
}

/* ---- asked for ---- */

static bool is_hex(struct str s, const unsigned char *octets, size_t n)
{
	char text[2 * COOKIE_OCTETS + 1] = "";

	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", octets[i]);
	return s.n == 2 * n && mem_eq_ct(s.p, text, s.n);
}

/* The process that the asker says it is, is the asker. */
static bool is_peer(const struct client *c, struct str pid)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	uint64_t n;

	return str_u64(pid, &n) && (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0 ||
					   n == (uint64_t)peer.pid);
}

static struct client *client_of(const struct authd *a, uint32_t pid)
{
	struct client *c = a->clients;

	while (c && !(c->cpid == pid && c->has_cpid && c->listener->set->type == LISTEN_LOGIN))
		c = c->next;
	return c;
}

static const char *take(
	struct client *master, struct client *c, uint32_t id, struct str cookie, struct handover **taken)
{
	if (c == NULL)
		return "there is no such client";
	if (!is_hex(cookie, c->cookie, sizeof c->cookie))
		return "the cookie is not that client's";
	if (*find(c, id) == NULL || (*find(c, id))->until_ms <= uv_now(master->authd->child.loop))
		return "there is no such login, or its time is over";
	*taken = unlink_at(find(c, id));
	c->n_handovers--;
	return NULL;
}

int handover_take(struct client *master, struct str rest, struct handover **taken)
{
	struct str field, cookie = { 0 }, value;
	uint32_t pid, id;
	const char *why;

	*taken = NULL;
	if (!auth_field(&rest, &field) || !auth_id(field, &pid) || !auth_field(&rest, &field) || !auth_id(field, &id) ||
		!auth_field(&rest, &cookie) || cookie.n != (size_t)2 * COOKIE_OCTETS)
		return -1;
	why = take(master, client_of(master->authd, pid), id, cookie, taken);
	while (why == NULL && auth_field(&rest, &field))
		if (auth_is_key(field, "session_pid=", &value)) {
			(*taken)->vars.session_pid = arena_dup((*taken)->mem, value);
			if (!is_peer(master, value))
				why = "session_pid is another process's";
		} else if (str_eq(field, STR("request_auth_token"))) {
			(*taken)->wants_token = true;
		}
	if (why == NULL)
		return 0;
	log_warn("auth: REQUEST for login %u of process %u: %s", id, pid, why);
	handover_free(taken);
	return 1;
}

/*
 * Whoever holds it proves later that this session was one of that user's: HMAC over service, process, user and session under the
 * secret of this service. The form (40 hexadecimal digits) is Dovecot's.
 */
static void add_token(const struct authd *a, const struct handover *h, struct str user, struct buf *out)
{
	const struct vars *v = &h->vars;
	const char *text = arena_printf(h->mem, "token %zu:%.*s %.*s %zu:%.*s %.*s", v->service.n, STR_ARG(v->service),
		STR_ARG(v->session_pid), user.n, STR_ARG(user), STR_ARG(v->session));
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (HMAC(EVP_sha1(), a->secret, sizeof a->secret, (const unsigned char *)text, strlen(text), mac, &n) == NULL)
		panic("no HMAC-SHA-1 in libcrypto");
	buf_add_c(out, "\tauth_token=");
	for (unsigned i = 0; i < n; i++)
		buf_addf(out, "%02x", mac[i]);
}

void handover_add(const struct authd *a, const struct handover *h, struct str user, struct buf *out)
{
	const struct vars *v = &h->vars;

	if (v->master_user.n)
		auth_add_field(out, "master_user=", v->master_user);
	auth_add_field(out, "auth_mech=", v->mechanism);
	if (h->is_anonymous)
		buf_add_c(out, "\tanonymous");
	if (h->wants_token && v->session_pid.n)
		add_token(a, h, user, out);
	if (v->auth_user.n)
		auth_add_field(out, "auth_user=", v->auth_user);
	else if (v->orig_user.n && !str_eq(v->orig_user, v->user))
		auth_add_field(out, "auth_user=", v->orig_user);
	if (v->local_name.n)
		auth_add_field(out, "local_name=", v->local_name);
}
