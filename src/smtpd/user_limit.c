/*
 * What a user who is logged in does to this instance: logins at a time, and messages and recipients of the last
 * smtpd_sasl_rate_time_unit (smtpd_sasl_*_limit). All smtpds and all their services count together (base/window.h): an account
 * whose password somebody else has sends from many addresses, and stops by itself.
 *
 * A user is who the authentication service says that it is, without regard to case. Every RCPT counts, also one that is
 * refused then, so that nobody tries out addresses; what is refused for the limit itself does not, or who tries on would
 * never be let in again.
 */
#include "smtpd/smtpd.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

enum { ADDRESSES_SHOWN = 8 };

_Static_assert((int)USER_MATTERS <= (int)WINDOW_MATTERS && (int)USER_SESSION == (int)WINDOW_EVENTS,
	"base/window.h has room for all matters, and sessions are no events");

static const struct {
	const char *word; /* in smtpd_sasl_limit_maps */
	const char *parameter;
} matters[USER_MATTERS] = { [USER_MAIL] = { "messages", "smtpd_sasl_message_rate_limit" },
	[USER_RCPT] = { "recipients", "smtpd_sasl_recipient_rate_limit" },
	[USER_SESSION] = { "sessions", "smtpd_sasl_session_limit" } };

/* Of what is counted. */
static uint64_t clock_ms(void)
{
	return counts_now(smtpd.counts, now_ms());
}

void user_limits_read(struct service *s)
{
	s->user_limit_maps = conf_str(s->view, "smtpd_sasl_limit_maps");
	s->user_limit_exceptions = conf_str(s->view, "smtpd_sasl_limit_exceptions");
	/* One for all services: they count together. */
	s->user_unit = conf_str(smtpd.child.main, "smtpd_sasl_rate_time_unit");
	s->user_unit_ms = (uint64_t)conf_seconds(smtpd.child.main, "smtpd_sasl_rate_time_unit") * 1000;
	for (unsigned m = 0; m < USER_MATTERS; m++) {
		int64_t n = conf_int(s->view, matters[m].parameter);

		s->user_limit[m] = n > INT32_MAX ? INT32_MAX : (unsigned)n;
	}
}

/* ---- whose limits ---- */

/* Names, and "@domain" for all users of it. */
static bool is_exempt(const struct session *s, struct str user)
{
	struct str rest = str_c(s->service->user_limit_exceptions), word;

	while (str_word(&rest, ", \t\r\n", &word))
		if (str_ieq(word, user) || (word.p[0] == '@' && str_has_isuffix(user, word)))
			return true;
	return false;
}

/* "messages=500". False: it is no such word. */
static bool read_word(struct session *s, struct str word)
{
	ptrdiff_t equals = str_chr(word, '=');
	uint64_t n;

	if (str_ieq(word, STR("unlimited"))) {
		memset(s->user_limit, 0, sizeof s->user_limit);
		return true;
	}
	if (equals < 0 || !str_u64(str_from(word, (size_t)equals + 1), &n))
		return false;
	for (unsigned m = 0; m < USER_MATTERS; m++)
		if (str_ieq(str_sub(word, 0, (size_t)equals), str_c(matters[m].word))) {
			s->user_limit[m] = n > INT32_MAX ? INT32_MAX : (unsigned)n;
			return true;
		}
	return false;
}

static void read_own_limits(struct session *s, struct str value)
{
	struct str word;

	while (str_word(&value, ", \t\r\n", &word))
		if (!read_word(s, word))
			log_warn("smtpd_sasl_limit_maps: user %s: \"%.*s\" is none of messages=N, recipients=N, "
				 "sessions=N and unlimited; what it does not set is as for all",
				s->sasl_username, STR_ARG(word));
}

/* ---- one too many ---- */

/* What is left of a time, for a person. */
static const char *duration(uint64_t ms)
{
	static char text[32];
	uint64_t s = (ms + 999) / 1000;

	if (s < 100)
		snprintf(text, sizeof text, "%u seconds", (unsigned)s);
	else if (s < 100 * 60)
		snprintf(text, sizeof text, "%u minutes", (unsigned)((s + 59) / 60));
	else
		snprintf(text, sizeof text, "%u hours", (unsigned)((s + 3599) / 3600));
	return text;
}

/* ", from 192.0.2.1, 2001:db8::1" */
static void put_addresses(struct buf *out, const struct session *s)
{
	unsigned char address[ADDRESSES_SHOWN + 1][16];
	unsigned n = window_addresses(
		smtpd.counts, s->user_key, clock_ms(), s->service->user_unit_ms, address, ADDRESSES_SHOWN + 1);

	for (unsigned i = 0; i < n && i < ADDRESSES_SHOWN; i++) {
		char text[INET6_ADDRSTRLEN] = "";
		struct in6_addr a;

		memcpy(&a, address[i], sizeof a);
		if (IN6_IS_ADDR_V4MAPPED(&a))
			inet_ntop(AF_INET, &address[i][12], text, sizeof text);
		else
			inet_ntop(AF_INET6, &a, text, sizeof text);
		buf_addf(out, "%s%s", i ? ", " : ", from ", text);
	}
	if (n > ADDRESSES_SHOWN)
		buf_add_c(out, " and others");
}

/* One line for a user in a unit of time, however often it tries and wherever. */
static void alert(const struct session *s, enum user_matter m)
{
	struct buf from = BUF_INIT(1024);

	if (s->user == NULL || window_was_told(smtpd.counts, s->user_key, m, clock_ms(), s->service->user_unit_ms))
		return;
	window_told(smtpd.counts, s->user, m, clock_ms(), s->service->user_unit_ms);
	put_addresses(&from, s);
	log_warn(
		"user %s has reached the limit of %u %s%s%s (%s)%s: more are answered with 451 4.7.1 until there are "
		"fewer; if that is somebody else with the user's password, change it (`gatepost auth who` shows who is "
		"logged in)",
		s->sasl_username, s->user_limit[m], m == USER_SESSION ? "logins at a time" : matters[m].word,
		m == USER_SESSION ? "" : " in ", m == USER_SESSION ? "" : s->service->user_unit,
		s->user_limit[m] == s->service->user_limit[m] ? matters[m].parameter : "smtpd_sasl_limit_maps",
		from.n ? from.p : "");
	buf_free(&from);
}

static void refuse(struct session *s, enum user_matter m, uint64_t less_ms)
{
	uint64_t now = clock_ms();

	alert(s, m);
	if (m == USER_SESSION)
		replyf(s, 451, "4.7.1",
			"Error: too many logins of this user (%u at a time are allowed); end one, or try again later",
			s->user_limit[m]);
	else
		replyf(s, 451, "4.7.1",
			"Error: too many %s of this user (%u in %s are allowed); try again in %s, or ask the "
			"administrator of this server",
			matters[m].word, s->user_limit[m], s->service->user_unit,
			duration(less_ms > now ? less_ms - now : 0));
}

/* ---- logging in, and what follows ---- */

/* The same in all processes, and after a reload; no client's (limit.c): those end in a service's name. */
static uint64_t key_of(const char *user)
{
	struct buf text = BUF_INIT(4096);
	uint64_t key;

	for (; *user; user++)
		buf_add_char(&text, ascii_lower(*user));
	buf_add_c(&text, "\nuser");
	key = str_hash_keyed(buf_str(&text), smtpd.child.seed);
	buf_free(&text);
	return key ? key : 1;
}

static void seen(struct session *s)
{
	unsigned char address[16] = { [10] = 0xFF, [11] = 0xFF };

	if (s->peer.any.sa_family == AF_INET6)
		memcpy(address, &s->peer.v6.sin6_addr, sizeof address);
	else
		memcpy(&address[12], &s->peer.v4.sin_addr, 4);
	if (s->peer.any.sa_family == AF_INET || s->peer.any.sa_family == AF_INET6)
		window_seen(smtpd.counts, s->user, address, clock_ms());
}

static enum outcome enter(struct session *s)
{
	unsigned limit = s->user_limit[USER_SESSION];
	struct window_sum sum = { 0 };

	s->user_key = key_of(s->sasl_username);
	s->user = counts_of(smtpd.counts, s->user_key, clock_ms());
	s->login_time = time(NULL);
	if (s->user) {
		seen(s);
		s->user->open++;
		window_sum(smtpd.counts, s->user_key, clock_ms(), s->service->user_unit_ms, &sum);
	}
	if (limit == 0 || sum.open <= limit)
		return s->after_login(s);
	refuse(s, USER_SESSION, 0);
	auth_forget(s);
	return R_DONE;
}

static enum outcome limits_known(struct session *s)
{
	const struct map_request *m = &s->question->map;

	if (m->status == MAP_TEMPORARY) {
		log_warn("smtpd_sasl_limit_maps: user %s cannot log in now: %.*s", s->sasl_username, STR_ARG(m->why));
		replyf(s, 454, "4.7.0", "Temporary authentication failure: the limits of users cannot be looked up");
		question_end(s);
		auth_forget(s);
		return R_DONE;
	}
	if (m->status == MAP_FOUND)
		read_own_limits(s, m->value);
	question_end(s);
	return enter(s);
}

enum outcome user_enter(struct session *s, enum outcome (*then)(struct session *s))
{
	struct str user = str_c(s->sasl_username);

	s->after_login = then;
	memcpy(s->user_limit, s->service->user_limit, sizeof s->user_limit);
	if (is_exempt(s, user)) {
		memset(s->user_limit, 0, sizeof s->user_limit);
		return enter(s);
	}
	if (*s->service->user_limit_maps == '\0')
		return enter(s);
	question_end(s);
	ask_map(question_new(s, ASK_MAP, limits_known), str_c(s->service->user_limit_maps), user, MAP_ADDRESS);
	return R_WAIT;
}

void user_leave(struct session *s)
{
	s->login_time = 0;
	if (s->user == NULL)
		return;
	require(s->user->open > 0);
	s->user->open--;
	s->user = NULL;
}

bool user_may(struct session *s, enum user_matter m)
{
	struct window_sum sum;

	if (s->user == NULL)
		return true;
	if (m == USER_MAIL)
		seen(s);
	/* Counted first: of two processes that look at the same time neither overlooks the other. */
	window_add(smtpd.counts, s->user, m, clock_ms(), s->service->user_unit_ms);
	if (s->user_limit[m] == 0)
		return true;
	window_sum(smtpd.counts, s->user_key, clock_ms(), s->service->user_unit_ms, &sum);
	if (sum.count[m] <= s->user_limit[m])
		return true;
	window_take_back(smtpd.counts, s->user, m);
	refuse(s, m, sum.less_ms[m]);
	return false;
}
