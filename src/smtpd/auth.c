/*
 * AUTH (RFC 4954): the client's answers go to the authentication service as they are, in base64, and its challenges
 * come back. What is decoded here is only the user's name, for the log; a secret never is kept.
 */
#include "smtpd/smtpd.h"
#include "sasl/base64.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { USER_SHOWN_MAX = 255 };
enum step { STEP_CHALLENGE, STEP_END };

/* One exchange; its memory is wiped at its end. */
struct exchange {
	struct auth_request request;
	struct session *session;
	struct arena *mem;
	enum step step;
	enum auth_outcome outcome;
	struct str reason, user;	/* of the answer */
	char shown[USER_SHOWN_MAX + 1]; /* the name that the client claims */
	unsigned responses;
	bool at_service; /* the service works on it, or waits for the client's answer */
};

/* A certificate that we do not trust is none. */
static bool has_valid_cert(const struct session *s)
{
	return s->tls && s->cert && s->cert->trusted;
}

static bool is_permitted(const struct session *s, const struct auth_mech *m)
{
	const struct service *v = s->service;

	if ((m->flags & AUTH_MECH_CHANNEL_BINDING) && s->tls == NULL)
		return false;
	if (str_ieq(m->name, STR("EXTERNAL")) && !has_valid_cert(s))
		return false;
	return mech_policy_permits(s->tls ? v->tls_mech_policy : v->mech_policy, m->flags);
}

void auth_offered(const struct session *s, struct buf *out)
{
	const struct auth_mech *m = NULL;
	size_t n;

	if (s->service->auth == NULL || (s->service->tls_auth_only && s->tls == NULL) ||
		match_list_addr(s->service->sasl_exceptions, &s->peer.any))
		return;
	n = auth_client_mechs(s->service->auth, &m);
	for (size_t i = 0; i < n; i++)
		if (is_permitted(s, &m[i]))
			buf_addf(out, "%s%.*s", out->n ? " " : "", STR_ARG(m[i].name));
}

static const struct auth_mech *find_mech(const struct session *s, struct str name)
{
	const struct auth_mech *m = NULL;
	size_t n = auth_client_mechs(s->service->auth, &m);

	for (size_t i = 0; i < n; i++)
		if (str_ieq(m[i].name, name) && is_permitted(s, &m[i]))
			return &m[i];
	return NULL;
}

void auth_drop(struct session *s)
{
	struct exchange *x = s->exchange;

	if (x == NULL)
		return;
	if (x->at_service)
		auth_cancel(&x->request);
	arena_wipe(&x->mem);
	mem_wipe(x, sizeof *x);
	free(x);
	s->exchange = NULL;
}

void auth_forget(struct session *s)
{
	user_leave(s);
	free(s->sasl_username);
	free(s->sasl_method);
	s->sasl_username = s->sasl_method = NULL;
}

/*
 * The name in PLAIN: authzid NUL authcid NUL password (RFC 4616 sec. 2). Empty when it is not that to the letter: what a
 * broken client puts in its place may be the password.
 */
static struct str plain_user(struct str decoded)
{
	ptrdiff_t first = str_chr(decoded, '\0'), second;
	struct str rest, password;

	if (first < 0)
		return STR("");
	rest = str_from(decoded, (size_t)first + 1);
	second = str_chr(rest, '\0');
	if (second < 0)
		return STR("");
	password = str_from(rest, (size_t)second + 1);
	return password.n && str_chr(password, '\0') < 0 ? str_sub(rest, 0, (size_t)second) : STR("");
}

/* LOGIN: the first answer is the name. */
static void note_user(struct exchange *x, struct str decoded)
{
	struct str name;

	if (str_ieq(x->request.mech, STR("PLAIN"))) {
		name = plain_user(decoded);
	} else if (str_ieq(x->request.mech, STR("LOGIN")) && x->responses == 0) {
		name = decoded;
	} else {
		return;
	}
	name = str_sub(name, 0, USER_SHOWN_MAX);
	if (name.n)
		memcpy(x->shown, name.p, name.n);
	x->shown[name.n] = '\0';
}

/* Is it base64, and whose? */
static bool look_at(struct exchange *x, struct str base64)
{
	struct buf decoded = BUF_INIT(SMTP_AUTH_MAX);
	bool good = base64_decode(&decoded, base64) == 0;

	if (good)
		note_user(x, buf_str(&decoded));
	x->responses++;
	buf_wipe(&decoded);
	return good;
}

static enum outcome welcome(struct session *s)
{
	reply(s, REPLY_AUTH_OK);
	return R_DONE;
}

static enum outcome logged_in(struct session *s)
{
	struct exchange *x = s->exchange;

	if (x->user.n == 0) { /* a service that does not say who it was has proven nothing */
		log_warn("%s: the authentication service gave no user name", client_text(s));
		replyf(s, 454, "4.7.0", "Temporary authentication failure: no user name");
		return R_DONE;
	}
	s->sasl_username = xstrndup(x->user);
	s->sasl_method = xstrndup(x->request.mech);
	return user_enter(s, welcome);
}

static void refuse(struct session *s)
{
	struct exchange *x = s->exchange;
	struct str reason = x->reason;

	if (x->outcome == AUTH_FAIL && reason.n == 0)
		reason = STR("(reason unavailable)");
	/* By these words log readers see that it is no fault of the client. */
	log_warn("%s: SASL %.*s authentication failed: %s%.*s%s%s", client_text(s), STR_ARG(x->request.mech),
		x->outcome == AUTH_TEMP ? "Connection lost to authentication server: " : "", STR_ARG(reason),
		*x->shown ? ", sasl_username=" : "", x->shown);
	if (x->outcome == AUTH_FAIL)
		client_count(s, EVENT_AUTH_FAILURE);
	if (x->outcome == AUTH_TEMP)
		replyf(s, 454, "4.7.0", "Temporary authentication failure: %.*s", STR_ARG(reason));
	else if (x->outcome == AUTH_LATER)
		replyf(s, 454, "4.7.0", "Temporary authentication failure: %.*s", STR_ARG(reason));
	else if (x->outcome == AUTH_BAD_BASE64)
		reply(s, REPLY_BAD_BASE64);
	else
		replyf(s, 535, "5.7.8", "Error: authentication failed: %.*s", STR_ARG(reason));
}

/* The service has answered. */
static enum outcome answered(struct session *s)
{
	struct exchange *x = s->exchange;
	enum outcome r = R_DONE;

	if (x->step == STEP_CHALLENGE) {
		session_deadline(s, s->service->timeout_ms);
		s->mode = MODE_AUTH;
		return R_MORE;
	}
	s->mode = MODE_COMMAND;
	if (x->outcome == AUTH_OK)
		r = logged_in(s);
	else
		refuse(s);
	auth_drop(s);
	return r;
}

static void on_challenge(struct auth_request *request, struct str challenge)
{
	struct exchange *x = container_of(request, struct exchange, request);
	struct session *s = x->session;

	if (s->question == NULL)
		return; /* it is the client's turn: nobody asked the service */
	x->step = STEP_CHALLENGE;
	s->last_code = 334;
	buf_addf(&s->out, "334 %.*s\r\n", STR_ARG(challenge));
	session_answer(s);
}

static void on_end(struct auth_request *request, enum auth_outcome outcome, struct str user, struct str reason)
{
	struct exchange *x = container_of(request, struct exchange, request);

	x->step = STEP_END;
	x->at_service = false;
	x->outcome = outcome;
	x->user = arena_dup(x->mem, user);
	x->reason = arena_dup(x->mem, reason);
	/* The service may go, or lose patience, while the client has the word. It is told when it has spoken: an answer before
	 * that would let its next line, a password, be taken for a command. */
	if (x->session->question)
		session_answer(x->session);
}

static int on_binding(struct auth_request *request, struct str type, struct buf *out)
{
	const struct session *s = container_of(request, struct exchange, request)->session;

	return s->tls ? tls_channel_binding(s->tls, type, out) : -1;
}

static struct str local_address(const struct session *s, struct arena *mem, uint16_t *port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { .any = { 0 } };
	char text[INET6_ADDRSTRLEN] = "";
	socklen_t len = sizeof a;

	*port = 0;
	if (s->dest.any.sa_family == AF_INET6)
		a.v6 = s->dest.v6;
	else if (s->dest.any.sa_family == AF_INET)
		a.v4 = s->dest.v4;
	else if (getsockname(s->fd, &a.any, &len) != 0)
		return STR("");
	if (a.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr))
		inet_ntop(AF_INET, &a.v6.sin6_addr.s6_addr[12], text, sizeof text);
	else if (a.any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &a.v6.sin6_addr, text, sizeof text);
	else
		inet_ntop(AF_INET, &a.v4.sin_addr, text, sizeof text);
	*port = ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
	return arena_dup(mem, str_c(text));
}

/* "AB:CD" as "abcd". */
static struct str plain_hex(struct arena *mem, const char *print)
{
	char *out = arena_alloc(mem, strlen(print) + 1);
	size_t n = 0;

	for (; *print; print++)
		if (*print != ':')
			out[n++] = *print >= 'A' && *print <= 'F' ? (char)(*print - 'A' + 'a') : *print;
	return str_pn(out, n);
}

static void add_cert(const struct session *s, struct exchange *x)
{
	struct auth_request *r = &x->request;

	if (!has_valid_cert(s))
		return;
	r->has_valid_cert = true;
	r->cert_name = arena_dup(x->mem, str_c(s->cert->login));
	r->cert_print = plain_hex(x->mem, s->cert->fingerprint);
	r->cert_key_print = plain_hex(x->mem, s->cert->key_fingerprint);
}

static struct exchange *exchange_new(struct session *s, struct str mech)
{
	struct exchange *x = xcalloc(1, sizeof *x);
	struct auth_request *r = &x->request;
	struct tls_info info;

	x->session = s;
	x->mem = arena_new(512);
	r->mech = arena_dup(x->mem, mech);
	r->service = str_c(s->service->sasl_service);
	r->local_ip = local_address(s, x->mem, &r->local_port);
	r->remote_ip = arena_dup(x->mem, str_c(s->addr));
	r->remote_port = s->port;
	r->secured = s->tls != NULL;
	r->session = str_c(arena_printf(x->mem, "%x.%x.%llx", (unsigned)getpid(), (unsigned)s->port,
		(unsigned long long)uv_now(s->timer.loop)));
	if (s->tls) {
		tls_info(s->tls, &info);
		r->local_name = arena_dup(x->mem, str_c(info.sni));
		add_cert(s, x);
	}
	r->on_challenge = on_challenge;
	r->on_binding = on_binding;
	r->on_end = on_end;
	s->exchange = x;
	return x;
}

static enum outcome bad_base64(struct session *s)
{
	auth_drop(s);
	s->mode = MODE_COMMAND;
	reply(s, REPLY_BAD_BASE64);
	return R_DONE;
}

/* REPLY_OK: go on. */
static enum smtp_reply check_auth(const struct session *s)
{
	if (s->service->auth == NULL || match_list_addr(s->service->sasl_exceptions, &s->peer.any))
		return REPLY_AUTH_DISABLED;
	if (s->sasl_username)
		return REPLY_AUTH_TWICE; /* sec. 4 */
	if (s->service->tls_auth_only && s->tls == NULL)
		return REPLY_AUTH_NEEDS_TLS;
	return REPLY_OK;
}

/* The texts are those by which log readers tell a fault of ours from an attack. */
static enum outcome no_such_mech(struct session *s, struct str mech)
{
	bool up = auth_client_is_up(s->service->auth);

	log_warn("%s: SASL %.*s authentication failed: %s", client_text(s), STR_ARG(mech),
		up ? "Invalid authentication mechanism" : "Connection lost to authentication server");
	if (up)
		reply(s, REPLY_AUTH_MECHANISM);
	else
		replyf(s, 454, "4.7.0", "Temporary authentication failure: Connection lost to authentication server");
	return R_DONE;
}

enum outcome do_auth(struct session *s, struct str arg)
{
	enum smtp_reply refusal = check_auth(s);
	const struct auth_mech *mech;
	struct str word, initial = { NULL, 0 };
	struct exchange *x;

	if (refusal == REPLY_OK && (!str_word(&arg, " ", &word) || (str_word(&arg, " ", &initial) && str_trim(arg).n)))
		refusal = REPLY_AUTH_SYNTAX;
	if (refusal != REPLY_OK) {
		reply(s, refusal);
		return R_DONE;
	}
	if (!client_may(s, EVENT_AUTH)) {
		replyf(s, 450, "4.7.1", "Error: too many AUTH commands from %s", s->addr);
		return R_DONE;
	}
	if (!client_may(s, EVENT_AUTH_FAILURE)) {
		replyf(s, 450, "4.7.1", "Error: too many failed logins from %s", s->addr);
		return R_DONE;
	}
	client_count(s, EVENT_AUTH);
	mech = find_mech(s, word);
	if (mech == NULL)
		return no_such_mech(s, word);
	x = exchange_new(s, mech->name);
	if (initial.n && !str_eq(initial, STR("=")) && !look_at(x, initial))
		return bad_base64(s);
	x->request.has_initial = initial.n > 0;
	x->request.initial = arena_dup(x->mem, initial);
	x->at_service = true;
	question_new(s, ASK_AUTH, answered);
	auth_start(s->service->auth, &x->request);
	return R_WAIT;
}

/* The client's answer to a challenge. */
enum outcome auth_line(struct session *s, struct str line)
{
	struct exchange *x = s->exchange;

	if (str_eq(line, STR("*"))) { /* sec. 4 */
		auth_drop(s);
		s->mode = MODE_COMMAND;
		reply(s, REPLY_AUTH_ABORTED);
		return R_DONE;
	}
	if (x->step == STEP_END)
		return answered(s);
	if (!look_at(x, line))
		return bad_base64(s);
	question_new(s, ASK_AUTH, answered);
	auth_continue(&x->request, arena_dup(x->mem, line));
	return R_WAIT;
}
