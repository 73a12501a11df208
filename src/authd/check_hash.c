/* Comparing a password with what is stored: by what is remembered, or by a hash in a thread. */
#include "authd/check_impl.h"

#include "auth/password.h"
#include "authd/trace.h"
#include "authd/verify.h"
#include "base/log.h"
#include "base/random.h"

enum { DUMMY_MAX = 32 * 1024 };

void dummy_make(struct authd *a, size_t i)
{
	struct buf secret = BUF_INIT(64);
	unsigned char random[16];

	random_octets(random, sizeof random);
	for (size_t k = 0; k < sizeof random; k++)
		buf_addf(&secret, "%02x", random[k]);
	a->dummy[i] = BUF_INIT(DUMMY_MAX);
	if (password_make(str_c(a->set->new_scheme), buf_str(&secret), &a->dummy[i]) < 0)
		require(password_make(STR("SHA512-CRYPT"), buf_str(&secret), &a->dummy[i]) == 0);
	buf_wipe(&secret);
}

void dummy_follow(struct authd *a, size_t i, struct str stored)
{
	struct buf next = BUF_INIT(DUMMY_MAX);

	if (password_like(stored, str_c(a->set->passdb[i].sql.scheme), &next) < 0) {
		buf_wipe(&next);
		return;
	}
	buf_wipe(&a->dummy[i]);
	a->dummy[i] = next;
}

static void hash_in_thread(struct job *j)
{
	struct login *l = container_of(j, struct login, job);

	uint64_t began = uv_hrtime();

	l->verdict = password_verify_user(l->stored, str_c(l->authd->set->passdb[l->passdb].sql.scheme), l->vars.user,
		l->vars.pass, l->authd->set->allow_weak);
	l->hash_ns = uv_hrtime() - began;
}

void check_compare(struct login *l);

static void hashing_leave(struct login *l)
{
	struct login **at = &l->authd->hashing;

	while (*at != l)
		at = &(*at)->next_hashing;
	*at = l->next_hashing;
}

/* The login whose hash answers this question too; NULL: none. */
static struct login *hashing_find(const struct login *l)
{
	struct login *other = l->authd->hashing;

	while (other && (other->passdb != l->passdb || memcmp(&other->key, &l->key, sizeof l->key) != 0))
		other = other->next_hashing;
	return other;
}

static void hash_end(struct login *l, bool dropped, int verdict, const char *how)
{
	if (l->client && dropped)
		TRACE(l, "note", "why=", STR("waited too long for its hash: too many logins at once"));
	else if (l->client)
		trace_compared(l, verdict, how);
	if (l->client == NULL)
		login_free(l);
	else if (dropped)
		login_temp_fail(l);
	else
		check_verdict(l, verdict);
}

static void on_hashed(struct job *j, bool dropped)
{
	struct login *l = container_of(j, struct login, job), *follower = l->followers, *next;
	/* Its client is gone, so that the hash may not have been made: those who waited with it still want to know. */
	bool left = l->client == NULL;
	int verdict = l->verdict;

	hashing_leave(l);
	l->is_hashed = true;
	if (!left && !dropped && verdict >= 0)
		verdict_put(l->authd->verdicts, &l->key, verdict == 1, uv_now(j->pool->loop));
	if (!left && !dropped && verdict >= 0 && !l->is_unknown)
		dummy_follow(l->authd, l->passdb, l->stored);
	hash_end(l, dropped, verdict, "hashed");
	for (; follower; follower = next) {
		next = follower->next_follower;
		if (left && follower->client)
			check_compare(follower);
		else
			hash_end(follower, dropped, verdict, "hashed for another login at the same time");
	}
}

/* Twenty sessions of one user that log in at once cost one hash. */
void check_compare(struct login *l)
{
	struct authd *a = l->authd;
	struct login *leader;
	int known;

	if (l->wants_key) {
		pool_leave_room(&a->hashes);
		key_take(l);
		return;
	}
	l->is_compared = true;
	verdict_key(a->verdicts, l->vars.user, l->vars.pass, l->stored, &l->key);
	known = verdict_get(a->verdicts, &l->key, uv_now(a->child.loop));
	if (known >= 0) {
		trace_compared(l, known, "remembered");
		a->n_verdict_hits++;
		pool_leave_room(&a->hashes);
		check_verdict(l, known);
		return;
	}
	l->state = LOGIN_WORK;
	l->followers = NULL;
	leader = hashing_find(l);
	if (leader) {
		l->next_follower = leader->followers;
		leader->followers = l;
		return;
	}
	l->job = (struct job){ .run = hash_in_thread, .done = on_hashed };
	if (pool_submit(&a->hashes, &l->job, l->vars.user, l->vars.remote_ip) < 0) {
		TRACE(l, "note", "why=", STR("too many logins wait for their hash"));
		login_temp_fail(l);
		return;
	}
	l->next_hashing = a->hashing;
	a->hashing = l;
}
