/*
 * What is stored, for a mechanism that never shows the password (SCRAM, CRAM-MD5): its own record, as the stored password or
 * among the credentials beside it, or one that is derived here from a password stored in the clear. SCRAM gets those of app
 * passwords too, as far as they have the same salt. For EXTERNAL it is enough that there is such a user.
 *
 * A user who has neither, and one whom nobody knows, gets keys of nobody: no proof fits them, and all that can be seen of
 * them, the salt, the count, the time that it took, is as with the user who was asked for last. The salt is
 * HMAC(secret, mechanism and name), so that it is the same at each attempt, as a real one (RFC 5802 sec. 9).
 */
#include "authd/credentials.h"

#include "auth/password.h"
#include "authd/fault.h"
#include "authd/trace.h"
#include "base/log.h"
#include "base/random.h"
#include "sasl/cram_md5.h"
#include "sasl/scram.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SALT_MADE_UP_MAX = 32, KEY_MAX = 32 * 1024 };

/* ---- the secret ---- */

/* Written whole under another name first: what is found under its own is never half of it. */
static bool secret_write(const char *path, const unsigned char *secret, size_t n)
{
	char fresh[4096];
	bool good;
	int fd;

	snprintf(fresh, sizeof fresh, "%s.%d", path, (int)getpid());
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	good = write(fd, secret, n) == (ssize_t)n && fsync(fd) == 0;
	close(fd);
	good = good && rename(fresh, path) == 0;
	if (!good)
		unlink(fresh);
	return good;
}

void key_secret_load(struct authd *a)
{
	char path[4000];
	struct stat st;
	int fd;
	bool good;

	snprintf(path, sizeof path, "%s/pid/auth.secret", a->child.queue_directory);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       read(fd, a->secret, sizeof a->secret) == sizeof a->secret;
	if (fd >= 0)
		close(fd);
	if (good)
		return;
	random_octets(a->secret, sizeof a->secret);
	if (!secret_write(path, a->secret, sizeof a->secret))
		log_warn("cannot keep %s: %s; until it can be, a SCRAM client is shown another salt after each start "
			 "when "
			 "its user is unknown or has a password in the clear",
			path, strerror(errno));
}

/* ---- salts and records ---- */

static const char *scheme_of(const struct login *l)
{
	return l->mech->scram ? arena_printf(l->mem, "SCRAM-%s", l->mech->scram->name) : l->mech->name;
}

static void make_up_salt(const struct login *l, struct scram_keys *k, size_t n)
{
	unsigned char octets[EVP_MAX_MD_SIZE];
	const char *text = arena_printf(l->mem, "%s %.*s", l->mech->scram->name, STR_ARG(l->vars.user));
	unsigned got = 0;

	if (HMAC(EVP_sha256(), l->authd->secret, sizeof l->authd->secret, (const unsigned char *)text, strlen(text),
		    octets, &got) == NULL)
		panic("no HMAC-SHA-256 in libcrypto");
	k->salt_n = n && n <= SALT_MADE_UP_MAX ? n : SCRAM_SALT;
	memcpy(k->salt, octets, k->salt_n);
}

static struct str record_of(struct login *l, const struct scram_keys *k)
{
	struct buf b = BUF_INIT(SCRAM_RECORD_MAX);
	struct str record;

	require(scram_keys_format(l->mech->scram, k, &b) == 0);
	record = arena_dup(l->mem, buf_str(&b));
	buf_wipe(&b);
	return record;
}

/* ---- deriving, in a thread ---- */

static void derive_in_thread(struct job *j)
{
	struct login *l = container_of(j, struct login, job);

	l->verdict = scram_derive(l->mech->scram, l->vars.pass, l->derived);
}

/* Keys of nobody fit no proof, whatever they were derived from. */
static void spoil(struct scram_keys *k)
{
	random_octets(k->stored, sizeof k->stored);
	random_octets(k->server, sizeof k->server);
}

/* The derived record, and behind it those of app passwords, whose salt it has. */
static struct str with_beside(struct login *l, struct str record)
{
	if (l->beside.n == 0)
		return record;
	memmove(l->key_faults + 1, l->key_faults, l->n_keys * sizeof *l->key_faults);
	memmove(l->key_names + 1, l->key_names, l->n_keys++ * sizeof *l->key_names);
	l->key_names[0] = STR("");
	l->key_faults[0] = NULL;
	return str_c(arena_printf(l->mem, "%.*s %.*s", STR_ARG(record), STR_ARG(l->beside)));
}

static void on_derived(struct job *j, bool dropped)
{
	struct login *l = container_of(j, struct login, job);

	l->vars.pass = (struct str){ 0 };
	if (l->client == NULL) {
		login_free(l);
	} else if (dropped || l->verdict < 0) {
		login_temp_fail(l);
	} else {
		if (l->is_unknown)
			spoil(l->derived);
		login_key(l, with_beside(l, record_of(l, l->derived)));
	}
}

static void derive(struct login *l, struct str plain)
{
	struct str rest = l->beside, first;

	l->derived = arena_alloc(l->mem, sizeof *l->derived);
	if (!str_word(&rest, " ", &first) || scram_keys_parse(l->mech->scram, first, l->derived) < 0) {
		l->derived->iterations = SCRAM_ITERATIONS;
		make_up_salt(l, l->derived, SCRAM_SALT);
	}
	l->vars.pass = arena_dup(l->mem, plain);
	l->state = LOGIN_WORK;
	l->job = (struct job){ .run = derive_in_thread, .done = on_derived };
	if (pool_submit(&l->authd->hashes, &l->job, l->vars.user, l->vars.remote_ip) < 0)
		login_temp_fail(l);
}

/* ---- what each mechanism takes ---- */

bool key_is_record(const struct login *l, struct str raw)
{
	struct scram_keys k;
	bool is;

	if (l->mech->scram == NULL)
		return raw.n == CRAM_MD5_STATES;
	is = scram_keys_parse(l->mech->scram, raw, &k) == 0;
	mem_wipe(&k, sizeof k);
	return is;
}

static void use_plain(struct login *l, struct str plain)
{
	unsigned char states[CRAM_MD5_STATES];
	struct str key;

	if (l->mech->scram) {
		derive(l, plain);
		return;
	}
	cram_md5_states(plain, states);
	key = arena_dup(l->mem, str_pn(states, sizeof states));
	mem_wipe(states, sizeof states);
	login_key(l, key);
}

static void key_follow(struct authd *a, struct str stored, const char *default_scheme)
{
	struct buf next = BUF_INIT(KEY_MAX);

	if (password_like(stored, str_c(default_scheme), &next) < 0) {
		buf_wipe(&next);
		return;
	}
	buf_wipe(&a->key_like);
	a->key_like = next;
}

/* What an unknown user is shown, and costs: as the record in front of `raw`, and as the own stored password. */
static void follow(struct login *l, enum password_use use, struct str raw)
{
	struct str first = raw, stored = l->stored;

	dummy_follow(l->authd, l->passdb, l->stored);
	if (l->mech->scram && use == PASSWORD_RAW_SCHEME && str_word(&raw, " ", &first))
		stored = str_c(arena_printf(l->mem, "{%s}%.*s", scheme_of(l), STR_ARG(first)));
	if (l->mech->scram)
		key_follow(l->authd, stored, l->authd->set->passdb[l->passdb].sql.scheme);
}

/*
 * Beside a hash, or a password in the clear, there may be keys of it. Those of app passwords alone will do after a hash; a
 * password in the clear goes with them.
 */
static enum password_use find_beside(struct login *l, enum password_use use, struct buf *raw)
{
	struct buf keys = BUF_INIT(KEY_MAX);
	bool has_own = credentials_add_keys(l, scheme_of(l), &keys) && l->key_names[0].n == 0;

	if (keys.n && (has_own || (use == PASSWORD_RAW_NONE && l->mech->scram))) {
		buf_wipe(raw);
		buf_add_str(raw, buf_str(&keys));
		use = PASSWORD_RAW_SCHEME;
	} else if (use == PASSWORD_RAW_PLAIN && l->mech->scram) {
		l->beside = arena_dup(l->mem, buf_str(&keys));
	} else {
		l->n_keys = 0;
	}
	buf_wipe(&keys);
	return use;
}

/* What is of use for the mechanism goes to *raw. EXTERNAL needs no secret: there is such a user. */
static enum password_use find_use(struct login *l, struct buf *raw)
{
	const char *default_scheme = l->authd->set->passdb[l->passdb].sql.scheme;
	enum password_use use;

	l->beside = STR("");
	if (l->mech == &sasl_external && l->lookup.rows) {
		l->is_unknown = false;
		buf_add_c(raw, "known");
		return PASSWORD_RAW_SCHEME;
	}
	if (l->is_unknown)
		return PASSWORD_RAW_NONE;
	use = password_raw(l->stored, str_c(default_scheme), scheme_of(l), raw);
	if (use == PASSWORD_RAW_SCHEME && !key_is_record(l, buf_str(raw)))
		use = PASSWORD_RAW_NONE;
	if (use != PASSWORD_RAW_SCHEME)
		use = find_beside(l, use, raw);
	else if (l->mech->scram)
		credentials_add_keys(l, scheme_of(l), raw);
	if (use != PASSWORD_RAW_NONE)
		follow(l, use, buf_str(raw));
	return use;
}

/* ---- somebody's ---- */

void key_take(struct login *l)
{
	struct buf raw = BUF_INIT(KEY_MAX);
	enum password_use use = find_use(l, &raw);

	trace_key(l, use);
	if (use == PASSWORD_RAW_NONE) {
		if (l->is_unknown)
			fault_note(l, FAULT_NOBODY, "unknown user");
		else
			fault_note(l, FAULT_CAUSE, "what is stored is of no use for this mechanism");
		l->is_unknown = true;
		check_next(l);
	} else if (use == PASSWORD_RAW_SCHEME) {
		login_key(l, arena_dup(l->mem, buf_str(&raw)));
	} else {
		use_plain(l, buf_str(&raw));
	}
	buf_wipe(&raw);
}

/* ---- nobody's ---- */

static void scram_of_nobody(struct login *l)
{
	struct buf raw = BUF_INIT(KEY_MAX);
	struct scram_keys k = { 0 };
	/* Whichever passdb has the users, and however others of them log in. */
	const struct buf *like = l->authd->key_like.n ? &l->authd->key_like : &l->authd->dummy[0];
	enum password_use use = password_raw(buf_str(like), STR(""), scheme_of(l), &raw);

	if (use == PASSWORD_RAW_PLAIN) {
		derive(l, buf_str(&raw));
	} else {
		if (use == PASSWORD_RAW_NONE || scram_keys_parse(l->mech->scram, buf_str(&raw), &k) < 0)
			k = (struct scram_keys){ .iterations = SCRAM_ITERATIONS, .salt_n = SCRAM_SALT };
		make_up_salt(l, &k, k.salt_n);
		spoil(&k);
		login_key(l, record_of(l, &k));
	}
	buf_wipe(&raw);
	mem_wipe(&k, sizeof k);
}

void key_of_nobody(struct login *l)
{
	l->is_unknown = true;
	if (l->mech->scram)
		scram_of_nobody(l);
	else
		login_key(l, STR(""));
}
