/*
 * The issuer's keys. Those of a URL are fetched at the start, again as their age asks for it, and when a token names one that is
 * not among them; then its login waits for the answer, and nobody else does. What was there stays until something better comes.
 */
#include "authd/login.h"

#include "base/log.h"

#include <malloc.h>
#include <stdlib.h>

enum {
	AGAIN_MS = 10 * 1000, /* no sooner, whatever tokens say */
	RETRY_MS = 60 * 1000, /* a server that was away */
	AGE_MIN_S = 60,	      /* whatever its Cache-Control says */
	AGE_MAX_S = 24 * 3600,
	AGE_S = 3600 /* when it says nothing */
};

struct oauth2_keyring {
	struct authd *authd;
	struct jwt_keys *keys; /* NULL: not yet */
	struct fetch_call call;
	uv_timer_t timer;
	bool is_fetching, has_failed, is_bad; /* what it is was told in the log */
	uint64_t fetched_ms;
	char etag[FETCH_ETAG_MAX + 1];
	struct oauth2_work *waiting;
};

const struct jwt_keys *oauth2_keys(const struct authd *a)
{
	return a->keyring ? a->keyring->keys : a->set->oauth2.keys;
}

bool oauth2_keys_are_current(const struct authd *a)
{
	return a->keyring == NULL || (a->keyring->keys && !a->keyring->has_failed);
}

static void fetch(struct oauth2_keyring *r);

static void on_timer(uv_timer_t *t)
{
	fetch(container_of(t, struct oauth2_keyring, timer));
}

static void plan(struct oauth2_keyring *r, uint64_t ms)
{
	uv_timer_start(&r->timer, on_timer, ms, 0);
}

static void say_bad(struct oauth2_keyring *r, const char *why)
{
	r->has_failed = true;
	if (!r->is_bad)
		log_warn("auth: oauth2: the keys of jwks: %s; %s", why,
			r->keys ? "going on with those that were there" : "logins with tokens get a temporary failure");
	r->is_bad = true;
}

static void take_keys(struct oauth2_keyring *r, const struct fetch_answer *a)
{
	const char *why;
	struct jwt_keys *fresh = jwt_keys_parse(a->body, &why);

	if (fresh == NULL) {
		say_bad(r, why);
		return;
	}
	if (r->keys == NULL || r->is_bad)
		log_info("auth: oauth2: %zu keys fetched", jwt_keys_count(fresh));
	jwt_keys_free(&r->keys);
	r->keys = fresh;
	r->is_bad = false;
	snprintf(r->etag, sizeof r->etag, "%.*s", STR_ARG(a->etag));
}

static uint64_t age_ms(uint32_t max_age_s)
{
	uint32_t s = max_age_s == FETCH_NO_AGE ? AGE_S : max_age_s;

	return 1000ULL * (s < AGE_MIN_S ? AGE_MIN_S : s > AGE_MAX_S ? AGE_MAX_S : s);
}

static void on_answer(struct fetch_call *c, const struct fetch_answer *a)
{
	struct oauth2_keyring *r = container_of(c, struct oauth2_keyring, call);
	struct oauth2_work *w = r->waiting, *next;

	r->is_fetching = false;
	r->has_failed = false;
	if (a->why.n)
		r->has_failed = true; /* fetchd said so */
	else if (a->status == 200)
		take_keys(r, a);
	else if (a->status != 304)
		say_bad(r, "the server gives none (a status that is not 200)");
	plan(r, r->has_failed ? RETRY_MS : age_ms(a->max_age_s));
	for (r->waiting = NULL; w; w = next) {
		next = w->next;
		w->is_second = true;
		if (w->login->client)
			oauth2_by_signature(w);
		else
			login_free(w->login);
	}
}

static void fetch(struct oauth2_keyring *r)
{
	const struct oauth2 *o = &r->authd->set->oauth2;
	struct fetch_ask ask = { .timeout_ms = (uint32_t)o->timeout_ms };
	struct buf header = BUF_INIT(2 * FETCH_ETAG_MAX);

	if (r->is_fetching)
		return;
	buf_add_c(&header, "Accept: application/json\n");
	if (*r->etag && r->keys)
		buf_addf(&header, "If-None-Match: %s\n", r->etag);
	ask.header = buf_str(&header);
	r->is_fetching = true;
	r->fetched_ms = uv_now(r->authd->child.loop);
	fetch_start(r->authd->fetch, &r->call, o->jwks_site, &ask);
	buf_free(&header);
}

bool oauth2_keys_wait(struct oauth2_work *w)
{
	struct oauth2_keyring *r = w->login->authd->keyring;

	if (r == NULL || (!r->is_fetching && uv_now(r->authd->child.loop) - r->fetched_ms < AGAIN_MS))
		return false;
	fetch(r);
	w->next = r->waiting;
	r->waiting = w;
	return true;
}

/* What a server answers has tokens in it, and claims of users. */
static void wiping_free(void *p)
{
	if (p)
		mem_wipe(p, malloc_usable_size(p));
	free(p);
}

void oauth2_start(struct authd *a)
{
	json_set_alloc_funcs(malloc, wiping_free);
	struct oauth2_keyring *r;

	if (!a->set->oauth2.is_set || a->set->oauth2.jwks_site < 0)
		return;
	r = a->keyring = xcalloc(1, sizeof *r);
	r->authd = a;
	r->call.done = on_answer;
	uv_timer_init(a->child.loop, &r->timer);
	uv_unref((uv_handle_t *)&r->timer);
	fetch(r);
}
