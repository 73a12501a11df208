/*
 * smtpd.h - the state of the SMTP server: the process, a service of master.cf, a session, a mail transaction.
 *
 * The way of a command: session.c reads, input.c cuts lines, rules.c decides whether the verb may run now, cmd_*.c, data.c,
 * bdat.c, auth.c, starttls.c do what is special to it, replies go to session->out and leave once per burst. A session
 * has at most one open question; while it waits, its later commands stay in the input.
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include "auth/mech_policy.h"
#include "base/window.h"
#include "base/log.h"
#include "child/child.h"
#include "child/users.h"
#include "dns/dns.h"
#include "log/spool_writer.h"
#include "map/map_client.h"
#include "smtp/address.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/esmtp.h"
#include "smtp/attribute.h"
#include "smtp/reply.h"
#include "milter/packet.h"
#include "smtpd/policy.h"
#include "tls/tls.h"

enum {
	READ_OCTETS = 64 * 1024, /* one read; the buffer belongs to the process */
	INPUT_MAX = READ_OCTETS + 2 * SMTP_AUTH_MAX,
	OUTPUT_MAX = 256 * 1024,
	ACCEPT_BURST = 16,
	NAME_WAIT_MS = 2000 /* longest wait for the client's name */
};

/* What a command function hands back. */
enum outcome {
	R_DONE, /* answered; read the next command */
	R_MORE, /* the command goes on with what the client sends next (DATA, BDAT, AUTH) */
	R_WAIT, /* a question is open: read nothing until it is answered */
	R_CLOSE /* answered; end the connection when the answer is sent */
};

struct session;
struct transaction;

/* Restriction lists, in the order of their evaluation. */
enum stage {
	STAGE_CLIENT,
	STAGE_HELO,
	STAGE_SENDER,
	STAGE_RELAY,
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_EOD,
	STAGE_ETRN,
	STAGE_COUNT
};
#define STAGE_BIT(s) (1u << (s))

struct restriction_kind;
struct restriction {
	const struct restriction_kind *kind; /* NULL: not known here; 451 4.3.5 when it is reached */
	struct str word;		     /* as written */
	struct str arg;			     /* its table, "" */
};
struct restriction_list {
	const struct restriction *item;
	size_t n;
};

enum tls_level { LEVEL_NONE, LEVEL_MAY, LEVEL_ENCRYPT };
enum greet_action { GREET_AT_ONCE, GREET_ENFORCE, GREET_DROP };
enum bare_newline { BARE_NORMALIZE, BARE_REJECT };

/* What is counted of a client in anvil_rate_time_unit. */
enum client_event {
	EVENT_CONNECTION,
	EVENT_MAIL,
	EVENT_RCPT,
	EVENT_TLS,
	EVENT_AUTH,
	EVENT_AUTH_FAILURE,
	EVENT_UNKNOWN_RCPT,
	EVENT_COUNT
};

/* What is counted of a user who is logged in. */
enum user_matter { USER_MAIL, USER_RCPT, USER_SESSION, USER_MATTERS };

/* The parameters of one smtpd row of master.cf, read once. */
struct service {
	const struct conf_service *row;
	const struct conf_view *view;
	const char *log_name; /* NULL: the process's */
	const char *hostname, *mail_name, *banner;
	enum tls_level tls_level;
	struct tls_ctx *tls; /* NULL: not offered */
	bool tls_wrapper, tls_auth_only, tls_received, tls_asks_cert;
	const char *tls_digest; /* of fingerprints */
	int64_t tls_loglevel;
	struct auth_client *auth; /* NULL: no AUTH */
	bool sasl_broken_clients, sasl_header;
	struct mech_policy mech_policy, tls_mech_policy; /* without TLS; under TLS */
	char *auth_fault; /* why nobody can log in, as it was logged; NULL: nothing is wrong */
	struct match_list *xclient_hosts, *xforward_hosts;
	struct match_list *mynetworks, *sasl_exceptions, *newline_exclusions, *fast_flush_domains, *limit_exceptions;
	uint64_t size_limit;		      /* 0: none */
	unsigned connection_limit, data_rate; /* 0: no limit; octets a second */
	unsigned rate_limit[EVENT_COUNT];     /* 0: no limit */
	unsigned v4_prefix, v6_prefix;	      /* bits that make one client */
	uint64_t rate_unit_ms;
	unsigned user_limit[USER_MATTERS]; /* 0: no limit */
	const char *user_limit_maps, *user_limit_exceptions, *user_unit;
	uint64_t user_unit_ms;
	unsigned message_limit, domain_limit; /* of a session: smtpd_session_…; 0: none */
	bool request_deadline;		      /* timeout_ms is for a whole command, not for a read */
	size_t header_limit;		      /* octets of a header field */
	unsigned rcpt_overshoot;
	unsigned rcpt_limit, hop_limit, soft_errors, hard_errors, junk_limit;
	uint64_t error_sleep_ms, timeout_ms, starttls_timeout_ms, proxy_timeout_ms;
	bool from_proxy;	     /* a proxy says who the client is, before anything else */
	unsigned extensions, hidden; /* bits that may be offered; that smtpd_discard_ehlo_keywords takes away */
	unsigned in_clear;	     /* that may be offered without TLS: smtpd_clear_ehlo_keywords */
	uint64_t future_release_s;   /* smtpd_future_release_limit */
	const char *no_soliciting, *rrvs_maps; /* smtpd_no_soliciting_keywords, smtpd_rrvs_maps */
	const char *hidden_maps;	       /* smtpd_discard_ehlo_keyword_address_maps */
	bool helo_required, delay_reject, vrfy, forbid_pipelining, peername_lookup, strict_envelopes,
		add_missing_headers;
	bool reject_unlisted_rcpt, reject_unlisted_sender, strict_utf8;
	bool routes_may_refuse; /* a transport may be error or retry: each recipient's is asked for at RCPT */
	enum bare_newline bare_newline;
	enum greet_action greet_action; /* against a client that speaks before the greeting */
	uint64_t greet_wait_ms, greet_ttl_ms;
	int bare_newline_code;
	const char *forbidden_commands, *sender_login_maps, *name_maps, *origin, *sasl_service;
	struct str *dropped; /* message_drop_headers */
	size_t n_dropped;
	struct restriction_list list[STAGE_COUNT];
	/* Mail filters; NULL: none. */
	const struct milter_settings *milter;

	struct arena *mem;	     /* holds the lists */
	bool is_submission;	     /* a list ends in reject: it takes no mail of strangers */
	bool is_local;		     /* public/submit: sendmail(1) of a local user */
	struct user_list submitters; /* authorized_submit_users */
};

/* The one open question of a session. Freed by question_end(). */
enum asked { ASK_MAP, ASK_DNS, ASK_AUTH, ASK_FLUSH, ASK_COMMIT, ASK_SLEEP, ASK_POLICY, ASK_MILTER };
struct question {
	struct session *session;
	enum asked what;
	enum outcome (*then)(struct session *s); /* runs when the answer is there */
	union {
		struct map_request map;
		struct dns_query dns;
		struct policy_request policy;
		struct {
			uint32_t request;
			uint16_t code;
			uint32_t messages;
		} flush;
	};
	enum outcome after_sleep;
	bool answered;
};

enum hello { HELLO_NONE, HELLO_HELO, HELLO_EHLO };
enum mode { MODE_COMMAND, MODE_AUTH, MODE_DATA, MODE_BDAT, MODE_HANDSHAKE, MODE_GREET, MODE_LINGER, MODE_PROXY };
enum after_flush { FLUSH_NOTHING, FLUSH_STARTTLS, FLUSH_CLOSE };
enum end_reason { END_QUIET, END_LOST, END_TIMEOUT };

struct verb_count {
	uint32_t total, ok;
};

struct session {
	struct session *next, **self; /* list of the process */
	const struct service *service;
	uv_poll_t poll;
	uv_timer_t timer;
	int fd, poll_events;
	unsigned open_handles;
	struct tls_conn *tls;
	struct tls_client_cert *cert; /* that the client has shown; NULL: none */
	struct buf in, out;	      /* own memory only while octets are pending */
	size_t reply_at;	      /* in out: where the last reply begins, until something is sent */
	bool reply_goes_on;	      /* it has not all of its lines yet */
	enum mode mode;
	enum after_flush after_flush;
	struct question *question;
	struct dns_query *name_query; /* name of the client, under way */
	struct check *check;	      /* restrictions under evaluation */
	struct exchange *exchange;    /* AUTH */
	uint64_t client_key;	      /* what is counted of it: limit.c */
	struct count_slot *client;    /* NULL: not counted */
	uint64_t user_key;	      /* what is counted of the user who is logged in: user_limit.c */
	struct count_slot *user;      /* NULL: not counted */
	time_t login_time;	      /* of that user; 0: nobody is logged in */
	enum outcome (*after_login)(struct session *s);
	unsigned user_limit[USER_MATTERS];
	struct transaction *tx; /* between MAIL and its end; made and destroyed in transaction.c only */
	/* Mail filters that it speaks with; NULL: none yet. */
	struct milter_session *milters;
	enum outcome (*after_milters)(struct session *s, bool taken); /* … while it is looked up which they are */

	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} peer;
	char addr[INET6_ADDRSTRLEN]; /* without "IPv6:" */
	uint16_t port;
	char *reverse_name;		/* of XCLIENT; NULL: `name` */
	struct forward *forward;	/* of XFORWARD, for the next message; NULL: none */
	bool may_xclient, may_xforward; /* it was allowed before it became another client */
	union proxy_address dest;	/* what a proxy says that the client connected to; AF_UNSPEC: our own socket */
	char *name;			/* "unknown" until it is known */
	uid_t uid;			/* of a local user (service->is_local) */
	char *helo;
	char *sasl_username, *sasl_method; /* NULL: not logged in */
	char *asked_name;		   /* of the VRFY, EXPN or ETRN under way */
	bool asked_utf8;		   /* SMTPUTF8 stood behind it */
	bool etrn_below;		   /* … ETRN: and the domains below it */
	enum hello hello;
	unsigned extensions; /* that the last EHLO announced */
	unsigned hidden;     /* that smtpd_discard_ehlo_keyword… hide from this client */
	bool hidden_known;   /* the tables have been asked */
	enum outcome (*after_hidden)(struct session *s);
	struct smtp_line_reader line_reader;
	uint64_t deadline_ms;
	unsigned errors, junk;
	unsigned messages;     /* MAIL commands that were taken */
	uint64_t *rcpt_domain; /* hashes of the domains of its recipients, while they are counted */
	unsigned n_rcpt_domain;
	size_t skipped; /* octets of an overlong line that is dropped */
	unsigned looks; /* for a segment, while none was at hand */
	int last_code;
	enum smtp_verb verb; /* of the command that runs or ran last */
	bool counted;	     /* it is in count[].ok already */
	bool trusted;	     /* in mynetworks */
	bool normalize;	     /* bare LF is taken as CRLF */
	bool announced;	     /* "connect from" is in the log */
	bool spoke_early;    /* before the greeting */
	bool sent_ahead;     /* broke RFC 2920 sec. 3.1 */
	bool more_input;     /* input stands behind the command that runs */
	bool tls_wants_write, waits_for_name;
	bool greeting_due;  /* it is greeted when its milters have heard of it */
	bool unread;	    /* replies stand in `out` because the client does not read */
	bool after_message; /* the last command was a whole message */
	bool ending, in_pump;
	enum smtp_reply bdat_refusal;	     /* of the dispatcher; REPLY_OK: none */
	uint64_t chunk_left, chunk_octets;   /* of BDAT */
	bool chunk_last, chunk_skip;	     /* skip: it is refused, its octets are dropped */
	struct buf held_reply;		     /* skip: the answer, for when the last of them has come */
	struct verb_count count[VERB_COUNT]; /* VERB_NONE: unknown commands */
};

/* The only process-wide object. */
struct smtpd {
	struct child child;
	struct service *service;
	size_t n_service;
	struct session *sessions;
	size_t n_sessions;
	uint64_t n_accepted, n_messages, n_recipients;
	uint64_t n_signatures; /* that keyd was asked for */
	bool stopping;
	struct spool_writer *writer;
	struct map_client *map;
	struct dns *dns;
	struct counts *counts; /* of clients, in all smtpds */
	unsigned intake;       /* enum intake */
	struct buf scratch;    /* wire form on its way to the log */
	char input[READ_OCTETS];
};
extern struct smtpd smtpd;

/* service.c */
void services_open(void);
/* TCP ports that they and DNS connect to, ended by 0: what the jail permits. Static. After services_open(). */
const uint16_t *ports_to_connect(void);
void services_connect(void);
void services_forget_tickets(void); /* the secrets of their tickets are others */
/* An absolute path below queue_directory, as the chroot sees it. */
const char *path_below_root(const char *path);
bool services_know_auth(void); /* was every authentication service that is used there once? */
const struct service *service_find(const struct conf_service *row);

/* listen.c */
void listen_limit(void); /* how many sessions there may be; after services_open(), before the jail */
/* … with so many descriptors: each has its own, and one for each of its mail filters. */
size_t listen_sessions(size_t descriptors);
void listen_open(void);
/* The first segment is there: mail can be taken. What every authentication service offers is known. Accepting begins
 * with both, or when they were waited for long enough. */
void listen_segment_is_here(void);
void listen_keys_are_here(void);
void listen_auth_is_known(void);
void listen_drain(void);
void listen_stop(void);
void listen_resume(void);

/* begin.c */
/* Takes: fd. */
void session_new(const struct service *service, int fd, const struct sockaddr *peer);
/* The client is there, as what is known of it says: greeted, or turned away. */
void session_admit(struct session *s);
/* It is another client than the one at the other end of the connection. */
void session_set_peer(struct session *s, const struct sockaddr *peer);
/* Count it as that other client, and ask for its name if it is not known. False: it is one too many, and told so. */
bool session_enter_again(struct session *s, bool name_is_known);
void session_end(struct session *s, enum end_reason reason);
/* Wait no longer for the client's name. */
void session_name_end(struct session *s);
void sessions_end_all(void);

/* session.c */
/* The greeting, as soon as it can be said. Then: session_pump(). */
void session_greet(struct session *s);
/* The same within a command. */
enum outcome session_greet_again(struct session *s);
/* Its name is known, or waited for no longer: go on. */
void session_name_known(struct session *s);
/* Go on with what is in the input, send the replies, watch the socket. */
void session_pump(struct session *s);
/* A question is answered: run its continuation. */
void session_answer(struct session *s);
/* session_pump(), and read on what TLS holds decrypted. */
void session_resume(struct session *s);
/* Open the question. `then` runs when it is answered. */
struct question *question_new(struct session *s, enum asked what, enum outcome (*then)(struct session *s));
void question_end(struct session *s);
uint64_t now_ms(void);
void session_deadline(struct session *s, uint64_t ms);
bool session_is_ours(const struct session *s); /* trusted or logged in */

/* input.c */
/* Run what is there. Returns the octets used. */
size_t session_consume(struct session *s, struct str in);
/* What follows from a command's outcome. False: read no further now. */
bool session_settle(struct session *s, enum outcome r);

/* limit.c */
/* Another connection of this client: how many there are with it, in all processes; one less. */
unsigned client_enter(struct session *s);
void client_leave(struct session *s);
/* May it do that once more now? False: over the limit, which is logged. */
bool client_may(struct session *s, enum client_event e);
void client_count(struct session *s, enum client_event e); /* it does */
bool client_is_exempt(const struct session *s);
/* It waited for a greeting; has it done so lately? */
void client_waited(struct session *s);
bool client_has_waited(const struct session *s);

/* user_limit.c */
void user_limits_read(struct service *s);
/*
 * The user of s->sasl_username is logged in; `then` goes on. Where that is one login too many, or its limits cannot be looked
 * up, that is answered, and nobody is logged in.
 */
enum outcome user_enter(struct session *s, enum outcome (*then)(struct session *s));
void user_leave(struct session *s);
/* The user, if one is logged in, does that once more; false: over the limit, which is answered. */
bool user_may(struct session *s, enum user_matter m);

/* who.c: for child.on_who */
void who_tell_sessions(struct child *c);

/* greet.c */
/* True: the session waits for greet_on_timer() before it is greeted. */
bool greet_waits(struct session *s);
void greet_on_readable(struct session *s);
void greet_on_timer(struct session *s);

/* upstream.c: smtpd_upstream_proxy_protocol */
void upstream_begin(struct session *s);
void upstream_on_readable(struct session *s);
void upstream_on_timer(struct session *s);

/* io.c: octets in and out, plain or TLS */
enum io { IO_DONE, IO_AGAIN, IO_END };
enum io session_read(struct session *s, void *p, size_t size, size_t *n);
enum io session_write(struct session *s);
void session_starttls(struct session *s);
enum io session_handshake(struct session *s);
void session_watch(struct session *s, int events);

/* reply.c */
void reply(struct session *s, enum smtp_reply r);
/* The reply that was given last, in this turn, waits until … */
void reply_hold(struct session *s);
/* … it may go; or the session ends, with what is said then behind it. None may be held: then nothing happens. */
void reply_let_go(struct session *s);
/* One line of a reply of several that is not its last: "250-2.1.5 text". The last one is replyf()'s. */
void reply_moref(struct session *s, int code, const char *enhanced, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void replyf(struct session *s, int code, const char *enhanced, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same with the name of this server in front: "421 4.4.2 host Error: timeout exceeded". */
void reply_host(struct session *s, int code, const char *enhanced, const char *text);
void reply_greeting(struct session *s);
/* "reject: …" line and its reply. `text` is all after the enhanced code. */
void reply_reject(struct session *s, int code, const char *enhanced, const char *text, bool only_warn);
void reply_refuse(struct session *s, enum smtp_reply r);
/* "ID: ACTION: RCPT from name[addr]: TEXT; from=<a> to=<b> proto=ESMTP helo=<h>" */
void log_action(const struct session *s, const char *action, const char *text);
/* "name[addr]", static. */
const char *client_text(const struct session *s);
const char *proto_text(const struct session *s);
void log_disconnect(struct session *s);
/* Where a session is, for the log: "CONNECT", "RCPT", "DATA (123 bytes)", "END-OF-MESSAGE". Static. */
const char *state_name(const struct session *s);
/* Lines of this session bear its service's name. */
void log_session(const struct session *s);

/* ehlo.c */
void reply_ehlo(struct session *s);
/* As reply_ehlo(), for a client that is said to have had its answer. */
void ehlo_offer(struct session *s);
/* s->hidden, by the tables of smtpd_discard_ehlo_keyword_address_maps; asked once a session. 451 when they cannot be asked. */
enum outcome ehlo_hidden_find(struct session *s, enum outcome (*then)(struct session *s));

/* ask.c: each for a question that was just opened */
void ask_rcpt(struct question *q, struct str address);
void ask_route(struct question *q, struct str address, struct str sender);
void ask_map(struct question *q, struct str tables, struct str key, enum map_how how);
void ask_mx(struct question *q, struct str domain);
void ask_addr(struct question *q, struct str host);

/* rules.c */
enum outcome rules_run(struct session *s, struct str line);
/* May the command of that line run before the client's name is known? */
bool rules_needs_name(struct str line);
/* No SMTP at all (smtpd_forbidden_commands)? Then that is answered and logged: close. */
bool rules_is_foreign(struct session *s, struct str line);
const char *verb_text(enum smtp_verb v);

/* cmd_vrfy.c */
/*
 * The address of VRFY and EXPN, normalised, becomes s->asked_name; *utf8: SMTPUTF8 stood behind it. False: answered.
 */
bool verify_address(struct session *s, struct str arg, bool *utf8);
/* Forget it. Returns r. */
enum outcome verify_end(struct session *s, enum outcome r);

/* session_limit.c: smtpd_session_message_limit, smtpd_session_domain_limit. False: one too many. */
bool session_may_send(const struct session *s);
bool session_may_address(struct session *s, struct str domain);
/* The values that LIMITS announces (RFC 9422 sec. 3). */
void session_limits_put(const struct session *s, struct buf *line);

/* cmd_*.c */
enum outcome do_helo(struct session *s, struct str arg);
enum outcome do_ehlo(struct session *s, struct str arg);
enum outcome do_mail(struct session *s, struct str arg);
enum outcome do_rcpt(struct session *s, struct str arg);
enum outcome do_data(struct session *s, struct str arg);
enum outcome do_bdat(struct session *s, struct str arg);
enum outcome do_rset(struct session *s, struct str arg);
enum outcome do_noop(struct session *s, struct str arg);
enum outcome do_quit(struct session *s, struct str arg);
enum outcome do_vrfy(struct session *s, struct str arg);
enum outcome do_expn(struct session *s, struct str arg);
enum outcome do_etrn(struct session *s, struct str arg);
enum outcome do_help(struct session *s, struct str arg);
enum outcome do_auth(struct session *s, struct str arg);
enum outcome do_starttls(struct session *s, struct str arg);

/* cmd_xclient.c */
enum outcome do_xclient(struct session *s, struct str arg);
bool may_xclient(const struct session *s);

/* cmd_xforward.c */
struct forward { /* who sent the message to the client; "unknown" where it does not say */
	struct arena *mem;
	struct str name, addr, port, proto, helo, ident;
	bool is_local, is_remote; /* SOURCE */
};
enum outcome do_xforward(struct session *s, struct str arg);
bool may_xforward(const struct session *s);
void forward_drop(struct session *s);
/* Is the client in that list, by its address or its name? */
bool client_is_listed(const struct session *s, const struct match_list *m);

/* auth.c */
/* Mechanisms that this session may use now, "PLAIN LOGIN", into out. */
void auth_offered(const struct session *s, struct buf *out);
enum outcome auth_line(struct session *s, struct str line);
void auth_drop(struct session *s);
void auth_forget(struct session *s); /* nobody is logged in any more */

/* transaction.c */
struct header_scan {
	struct buf line; /* of a physical line what is there so far */
	bool ended;	 /* all that follows is body */
	bool dropping;	 /* the field at hand is left out */
	bool in_message_id, has_message_id, has_date, has_from;
	unsigned hops, lines;
	size_t field_octets;  /* of the field at hand */
	struct field *taking; /* the field at hand, when it is one that smtpd acts on */
	unsigned flaws;	      /* enum data_flaw, of the header alone: what BINARYMIME does not excuse */
};

/* Fields of the header that smtpd acts on: fields.c. */
enum field_kind { FIELD_NONE, FIELD_SOLICITATION, FIELD_VALID_SINCE, FIELD_TLS_REQUIRED };
struct field {
	struct field *next;
	enum field_kind kind;
	char *room;
	struct str value; /* in room; unfolded, without blanks at both ends */
};

struct transaction {
	struct session *session; /* NULL: the client is gone, only the commit is awaited */
	uint64_t number;	 /* of the process; tells a policy service which requests are about one message */
	struct arena *mem;
	struct str sender;
	struct address sender_parts;
	struct mail_params params;
	struct str sender_arg, mail_args, rcpt_args; /* as sent, for milters */
	struct milter_mail *milter;		     /* what they say of it; NULL: none is asked */
	struct envelope_rcpt *rcpt;
	size_t n_rcpt, cap_rcpt;
	struct mem_map *rcpt_by_address[2]; /* of many, their numbers: [1] of notes of an alias (NOTIFY_EXPANDED) */
	size_t n_accepted;		    /* RCPT commands that got 250 */
	size_t rcpt_octets;		    /* of rcpt[] in the envelope, at most */
	unsigned n_over;		    /* RCPT commands beyond the limit */
	struct str rcpt_arg;		    /* of the RCPT under way, as sent, for restrictions and the log */
	struct str rcpt_address;	    /* the same, normalised */
	struct str rcpt_other_form;	    /* with U-labels for A-labels, or the reverse */
	struct address rcpt_parts;
	struct rcpt_params rcpt_params;
	struct map_request rcpt_answer; /* what mapd said of it */
	bool rcpt_known;		/* rcpt_answer is there */
	bool route_is_good;		/* the recipient's transport was asked for: it does not refuse */
	enum outcome (*after_since)(struct session *s, bool taken);
	const struct field *since_field; /* whose recipient is looked up */
	uint64_t since;
	struct spool_msg msg;
	char id[ENVELOPE_ID_TEXT]; /* "": none yet */
	struct data_scan scan;
	struct header_scan header;
	struct str message_id;
	struct field *fields;
	unsigned n_fields;
	struct str *own_rcpt; /* recipients of ours whose RCPT had no RRVS: the header may have it */
	size_t n_own_rcpt;
	bool in_chunks;		/* BDAT has begun */
	uint64_t deliver_by_us; /* BY=, from MAIL on; 0: none */
	bool priority_changed;	/* it had asked for more than it may have */
	int64_t own_octets;	/* of header fields that were added less those that were dropped */
	bool too_big, committing, committed;
	int commit_error;
};
void transaction_begin(struct session *s, struct str sender);
/* The end on every way out: RSET, EHLO, STARTTLS, errors, end of the session, after the commit. */
void transaction_end(struct session *s);
/* Is there room in the envelope for so many recipients of this RCPT, whose addresses have so many octets together? */
bool transaction_has_room(const struct transaction *t, size_t n, size_t octets);
/* … for this address, and all to which it expands? */
bool transaction_takes(const struct transaction *t, struct str address, const struct map_request *a);
/* rcpt[] has fewer, or others: their numbers are made anew when they are asked for. */
void transaction_forget_numbers(struct transaction *t);
/* One more recipient address into the envelope, unless it is there. */
void transaction_add_rcpt(struct transaction *t, struct str address, struct str original);
void transaction_commit(struct session *s, enum outcome (*then)(struct session *s));
/* Give it its id, once; 0 or -1: no segment at hand. Logs "ID: client=…". */
int transaction_open(struct session *s);

/* data.c */
/* The replies to a whole message; ends the transaction. */
enum outcome message_finish(struct session *s);
void message_begin(struct session *s);
/* Wire form from the scanner: header work, then into the log. */
void message_add(struct session *s, struct str wire);
/* Octets of DATA; *used of `in`. R_MORE: all taken, more is needed. */
enum outcome data_input(struct session *s, struct str in, size_t *used);
/* header.c */
void header_add(struct session *s, struct transaction *t, struct str *wire);
void header_finish(struct session *s, struct transaction *t);
void header_clear(struct header_scan *h);

/* fields.c */
/* One line of the header: the first of a field of that name, or (name.n == 0) one more of the field at hand. */
void fields_take(struct transaction *t, struct str name, struct str line);
/* Is the message refused for what they say? Then that is answered. */
bool fields_refuse(struct session *s);
/* Has the header "TLS-Required: No" (RFC 8689 sec. 3)? */
bool fields_say_tls_optional(const struct transaction *t);
/* NULL: none is left. */
const struct field *fields_next(const struct transaction *t, const struct field *after, enum field_kind kind);

/* solicit.c: smtpd_no_soliciting_keywords. True: one of these words is refused here, and that is answered. */
bool solicit_refuse(struct session *s, struct str words);
/* The keywords of a message that was taken: by the parameter, else by its one field, when that has no others (RFC 3865 sec.
 * 2.7); "" none. */
struct str solicit_of(const struct transaction *t);

/* since.c: has the recipient been the same person since then (RFC 7293)? */
/* The recipient of the RCPT under way, if it is one of ours with RRVS; `then` goes on, or it is refused. */
bool since_is_asked(const struct session *s);
enum outcome since_check_rcpt(struct session *s, enum outcome (*then)(struct session *s, bool taken));
/* The recipients of Require-Recipient-Valid-Since fields. */
enum outcome since_check_fields(struct session *s, enum outcome (*then)(struct session *s, bool taken));
/* Note a recipient that such a field may be about. */
void since_note_rcpt(struct transaction *t);

/* milter_*.c: mail filters (milter.h) */
void milter_settings_read(struct service *s);
/* Filters that a session may speak with, of the service that has most; at least one where tables name them. */
size_t milter_conns_max(void);
/* milter_connect.c: they hear of a client before it is greeted, which is what comes of it; `greets`: is there one to hear? */
bool milter_greets(const struct session *s);
enum outcome milter_greet(struct session *s);
/* Of its HELO before that is answered. `then` goes on; not taken: that was answered, and is the end of the session. */
enum outcome milter_hello(struct session *s, enum outcome (*then)(struct session *s, bool taken));
/* Has one refused the whole session, and is this command one that it counts for? Then that is answered. */
bool milter_refuses(struct session *s, enum smtp_verb v, enum outcome *r);
/* A refusal is answered and logged there; `then` goes on: taken or refused. */
enum outcome milter_tell(struct session *s, enum milter_event e, enum outcome (*then)(struct session *s, bool taken));
enum outcome milter_tell_unknown(
	struct session *s, struct str line, enum outcome (*then)(struct session *s, bool taken));
/* Show them the whole message, and do what they want changed. */
enum outcome milter_show(struct session *s, enum outcome (*then)(struct session *s, bool taken));
/* What the transaction holds for them; they forget the message (also when it is done: then they have). */
struct milter_mail *milter_mail_new(void);
void milter_mail_free(struct milter_mail **m);
void milter_mail_abort(struct session *s);
/* The content begins: is its header to be kept for them? Then these octets of it are (else false: they go into the spool). */
void milter_content_open(struct session *s);
bool milter_keep(struct transaction *t, struct str octets);
bool milter_head_is_long(const struct transaction *t);
/* Is the message to be dropped after its 250; to be put on hold? */
bool milter_discards(const struct session *s);
bool milter_holds(const struct transaction *t);
/* The client said another HELO; it is gone, or another one. */
void milter_hello_changed(struct session *s);
void milter_session_end(struct session *s);
/* Connections to them, of all sessions. */
size_t milter_connections(void);

/* bdat.c */
enum outcome bdat_input(struct session *s, struct str in, size_t *used);

/* access.c: "5.7.1 text": cut the status off *text, if there is one of that class (RFC 3463), else it is x.7.1. `size`: 12. */
bool access_cut_status(struct str *text, int code, char *enhanced, size_t size);

/* restrict.c */
struct restriction_list restrictions_parse(
	const struct conf_view *v, const char *parameter, const char *text, enum stage stage, struct arena *mem);
bool restrictions_have_guard(const struct restriction_list *l);
bool restrictions_end_in_reject(const struct restriction_list *l);
/*
 * Evaluate the lists of `stages` (STAGE_BIT…). A refusal is answered and logged here. `then` goes on: taken or refused.
 */
enum outcome restrict_begin(struct session *s, unsigned stages, enum outcome (*then)(struct session *s, bool taken));
void restrict_drop(struct session *s);

/* restrict_route.c: may any transport be error or retry? See service.routes_may_refuse. */
bool routes_may_refuse(const struct conf_view *v);

/* peer.c */
void peer_open(struct child *c, enum role role, unsigned index, int fd);
/* Open the question ASK_FLUSH. 0; -1: queued is away, and there is no question. */
int queue_flush(struct session *s, struct str domain, bool below, enum outcome (*then)(struct session *s));
void writer_open(void);

/* keys.c: private keys of TLS, which keyd has. Around services_open(), and before the jail. */
void keys_open(void);
void keys_opened(void);
/* A channel to a keyd. Takes: fd. */
void keys_peer(unsigned index, int fd);
/* Could a handshake have its signature now? */
bool keys_are_here(void);

#endif
