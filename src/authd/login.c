#include "authd/login.h"

#include "auth/auth_client.h"
#include "auth/auth_proto.h"
#include "authd/fault.h"
#include "authd/handover.h"
#include "authd/last_use.h"
#include "authd/trace.h"
#include "base/log.h"
#include "base/random.h"
#include <stdlib.h>
#include <unistd.h>

enum { REASON_MAX = 512 }; /* octets */

/* ---- the greeting ---- */

bool login_offers(const struct client *c, const struct sasl_mech *m)
{
	return !(m->flags & SASL_CHANNEL_BIND) || c->is_shown_binding;
}

unsigned login_mech_flags(const struct sasl_mech *m)
{
	static const struct {
		unsigned sasl, proto;
	} flags[] = {
		{ SASL_PLAINTEXT, AUTH_MECH_PLAINTEXT },
		{ SASL_CHANNEL_BIND, AUTH_MECH_CHANNEL_BINDING },
		{ SASL_MUTUAL, AUTH_MECH_MUTUAL },
		{ SASL_DICTIONARY, AUTH_MECH_DICTIONARY },
		{ SASL_ACTIVE, AUTH_MECH_ACTIVE },
		{ SASL_ANONYMOUS, AUTH_MECH_ANONYMOUS },
	};
	unsigned proto = 0;

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (m->flags & flags[i].sasl)
			proto |= flags[i].proto;
	return proto;
}

void login_greet(struct client *c)
{
	const struct settings *set = c->authd->set;

	/* Whoever says later that he speaks more was not shown more. */
	c->is_shown_binding = c->minor >= AUTH_MINOR_BINDING;
	/* Every MECH before SPID: SPID without MECH is how clients tell a master socket. */
	for (size_t i = 0; i < set->n_mechs; i++) {
		if (!login_offers(c, set->mech[i]))
			continue;
		buf_addf(&c->out, "MECH\t%s", set->mech[i]->name);
		auth_add_flags(&c->out, login_mech_flags(set->mech[i]));
		buf_add_char(&c->out, '\n');
	}
	random_octets(c->cookie, sizeof c->cookie);
	buf_addf(&c->out, "SPID\t%d\nCUID\t%u\nCOOKIE\t", (int)getpid(), c->cuid);
	for (size_t i = 0; i < sizeof c->cookie; i++)
		buf_addf(&c->out, "%02x", c->cookie[i]);
	buf_add_c(&c->out, "\nDONE\n");
}

/* ---- the life of a login ---- */

struct login **login_find(struct client *c, uint32_t id)
{
	struct login **at = &c->login[id % LOGIN_BUCKETS];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static void detach(struct login *l)
{
	struct client *c = l->client;

	if (c == NULL)
		return;
	*login_find(c, l->id) = l->next;
	c->n_logins--;
	l->client = NULL;
}

void login_free(struct login *l)
{
	detach(l);
	if (l->state == LOGIN_DELAY || l->state == LOGIN_HOLD)
		waiting_remove(&l->authd->waiting, l);
	defence_release(&l->authd->defence, &l->guard);
	buf_wipe(&l->out);
	arena_wipe(&l->mem);
	free(l);
}

void login_drop(struct login *l)
{
	detach(l);
	l->job.cancelled = true;
	l->lookup.job.cancelled = true;
	l->more.job.cancelled = true;
	l->bind.job.cancelled = true;
	if (l->state != LOGIN_WORK)
		login_free(l);
}

void login_drop_all(struct client *c)
{
	for (size_t i = 0; i < LOGIN_BUCKETS; i++)
		while (c->login[i])
			login_drop(c->login[i]);
}

static void send_challenge(struct login *l, struct str base64)
{
	struct client *c = l->client;

	l->state = LOGIN_CLIENT;
	l->since_ms = uv_now(l->authd->child.loop);
	buf_addf(&c->out, "CONT\t%u\t%.*s\n", l->id, STR_ARG(base64));
	client_send_soon(c);
}

static uint64_t now_ms(const struct authd *a)
{
	uint64_t now = uv_hrtime() / 1000000;

	return now > uv_now(a->child.loop) ? now : uv_now(a->child.loop);
}

static void delay(struct login *l, uint64_t due_ms);

/* The first multiple of `grid` since its check began that is ahead, and not before `wait`. */
static uint64_t on_grid(const struct login *l, uint64_t now, uint64_t wait, uint64_t grid)
{
	uint64_t took = now - l->since_ms;

	return l->since_ms + (wait > took ? wait : (took / grid + 1) * grid);
}

void login_challenge(struct login *l, struct str base64)
{
	bool hides_time = l->hides_time;

	l->hides_time = false;
	if (!hides_time || l->authd->ticker.fd <= 0) {
		send_challenge(l, base64);
		return;
	}
	l->is_held = true;
	l->challenge = base64;
	delay(l, on_grid(l, now_ms(l->authd), 0, CHALLENGE_GRID_MS));
}

/* A token may have said only in the end who it was. */
static void count_success(struct login *l)
{
	if (l->mech->flags & SASL_ANONYMOUS)
		return;
	if (l->guard.user.n == 0)
		login_guard(l);
	if (l->mech->flags & SASL_TOKEN)
		l->guard.mark = 0; /* the next one will be another, and as good */
	defence_passed(&l->authd->defence, &l->guard, wall_ms());
}

/* The database wants him to wait although he is who he says (delay_until). */
static bool is_put_off(struct login *l)
{
	if (l->client == NULL || l->put_off_ms <= now_ms(l->authd))
		return false;
	l->state = LOGIN_HOLD;
	l->on_time = login_succeed;
	login_wait(l, l->put_off_ms);
	return true;
}

void login_succeed(struct login *l)
{
	struct client *c = l->client;

	if (is_put_off(l))
		return;
	l->state = LOGIN_WORK;
	if (policy_after(l))
		return;
	/* RFC 4422 sec. 3.6: what proves the server goes with the success, or, where that has no room for it, before it. */
	if (c && l->final.n && !l->takes_final && !l->is_final_sent) {
		l->is_final_sent = true;
		login_challenge(l, l->final);
		return;
	}
	l->authd->n_ok++;
	trace_end(l, "ok", NULL, NULL, 0);
	handover_keep(l);
	count_success(l);
	policy_report(l, NULL);
	if (l->app.n)
		last_use_note(l);
	if (l->authd->set->verbose || l->app.n)
		log_info("auth: user=<%.*s>, method=%s, rip=%.*s: success%s%.*s%s", STR_ARG(l->vars.user),
			l->mech->name, STR_ARG(l->vars.remote_ip), l->app.n ? " with the app password \"" : "",
			STR_ARG(l->app), l->app.n ? "\"" : "");
	if (c) {
		buf_addf(&c->out, "OK\t%u", l->id);
		auth_add_field(&c->out, "user=", l->vars.user);
		buf_add_str(&c->out, l->fields);
		if (l->takes_final && l->final.n)
			auth_add_field(&c->out, "resp=", l->final);
		buf_add_char(&c->out, '\n');
		client_send_soon(c);
	}
	login_free(l);
}

/* A policy server may send kilobytes; a client ends a connection, with all that is asked on it, by a line that is too long. */
static struct str short_reason(struct str reason)
{
	size_t n = reason.n < REASON_MAX ? reason.n : REASON_MAX;

	while (n && n < reason.n && ((unsigned char)reason.p[n] & 0xc0) == 0x80)
		n--; /* not within a character */
	return str_sub(reason, 0, n);
}

static void send_fail(struct login *l, const char *code)
{
	struct client *c = l->client;

	if (c == NULL)
		return;
	buf_addf(&c->out, "FAIL\t%u", l->id);
	if (l->vars.user.n)
		auth_add_field(&c->out, "user=", l->vars.user);
	if (code)
		buf_addf(&c->out, "\tcode=%s", code);
	if (l->no_delay && c->minor <= AUTH_MINOR_EMPTY)
		buf_add_c(&c->out, "\tnodelay"); /* a login process of Dovecot 2.3 waits itself, without */
	if (l->reason.n)
		auth_add_field(&c->out, "reason=", short_reason(l->reason));
	if (l->takes_final && l->final.n)
		auth_add_field(&c->out, "resp=", l->final);
	buf_add_char(&c->out, '\n');
	client_send_soon(c);
}

void login_temp_fail(struct login *l)
{
	l->authd->n_temp++;
	trace_end(l, "temp_fail", NULL, l->fault.away, 0);
	send_fail(l, "temp_fail");
	login_free(l);
}

void login_refuse(struct login *l)
{
	l->authd->n_temp++;
	trace_end(l, "temp_fail", "penalty", NULL, 0);
	send_fail(l, "temp_fail\tpenalty");
	login_free(l);
}

static void on_tick(uv_timer_t *t);

static void wake_at(struct authd *a, uint64_t ms)
{
	uint64_t now = uv_now(a->child.loop);

	if (a->ticker.fd > 0)
		ticker_at(&a->ticker, ms);
	else
		uv_timer_start(&a->tick, on_tick, ms > now ? ms - now : 0, 0);
}

static void wait_is_over(struct login *l)
{
	if (l->state == LOGIN_HOLD) {
		waiting_remove(&l->authd->waiting, l);
		l->on_time(l);
		return;
	}
	if (l->is_held) {
		waiting_remove(&l->authd->waiting, l);
		l->is_held = false;
		send_challenge(l, l->challenge);
		return;
	}
	/* l->stored serves as the code from login_fail() to here. */
	send_fail(l, l->stored.n ? l->stored.p : NULL);
	login_free(l);
}

void login_tick(struct authd *a)
{
	uint64_t now = now_ms(a);
	struct login *l;

	while ((l = waiting_first(&a->waiting)) != NULL && l->due_ms <= now)
		wait_is_over(l);
	if (l)
		wake_at(a, l->due_ms);
}

static void on_tick(uv_timer_t *t)
{
	login_tick(container_of(t, struct authd, tick));
}

void login_wait(struct login *l, uint64_t due_ms)
{
	struct authd *a = l->authd;

	l->due_ms = due_ms;
	waiting_add(&a->waiting, l);
	if (waiting_first(&a->waiting) == l)
		wake_at(a, due_ms);
}

static void delay(struct login *l, uint64_t due_ms)
{
	l->state = LOGIN_DELAY;
	login_wait(l, due_ms);
}

/* When it leaves: on the same grid for every failure, counted from where its check began. */
static uint64_t due_of(const struct login *l, uint64_t now, uint64_t wait)
{
	if (l->no_delay)
		return now;
	return on_grid(l, now, wait, REPLY_GRID_MS);
}

/* As Dovecot tells a policy server. */
static const char *fail_type_of(const struct login *l, const char *code)
{
	if (l->is_policy_refused)
		return "policy";
	if (code && strcmp(code, "user_disabled") == 0)
		return "disabled";
	return l->is_unknown ? "account" : "credentials";
}

void login_fail(struct login *l, const char *code, const char *why)
{
	struct authd *a = l->authd;
	uint64_t now = uv_now(a->child.loop), wait = a->set->failure_delay_ms;

	a->n_fail++;
	if (why)
		log_info("auth: login failed: user=<%.*s>, method=%s, rip=%.*s: %s",
			STR_ARG(l->vars.user.n ? l->vars.user : l->vars.orig_user), l->mech->name,
			STR_ARG(l->vars.remote_ip), why);
	else
		why = fault_log(l);
	policy_report(l, fail_type_of(l, code));
	/* One whose client is gone meanwhile counts, too: he need not wait for the answer to know it. */
	if (l->guard.is_on)
		wait = defence_failed(&a->defence, &l->guard, wall_ms());
	trace_end(l, "fail", code, why, due_of(l, now, wait) - now);
	if (l->client == NULL) {
		login_free(l);
		return;
	}
	l->stored = str_c(code);
	delay(l, due_of(l, now, wait));
}

void login_sweep(struct client *c)
{
	uint64_t now = uv_now(c->authd->child.loop);

	for (size_t i = 0; i < LOGIN_BUCKETS; i++)
		for (struct login *l = c->login[i], *next; l; l = next) {
			next = l->next;
			if (l->state == LOGIN_CLIENT && now - l->since_ms > LOGIN_TIMEOUT_MS)
				login_temp_fail(l);
		}
}
