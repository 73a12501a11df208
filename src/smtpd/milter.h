/*
 * milter.h - mail filters of others beside smtpd (Postfix's MILTER_README): what milter_*.c share.
 *
 *	milter_settings.c	the parameters of a service
 *	milter_conn.c		a connection: octets and time
 *	milter_session.c	the filters of a session, and what is kept of a message for them
 *	milter_connect.c	a client comes, and says HELO
 *	milter_tell.c		the session tells them what happens, one after the other
 *	milter_hear.c		their answers, and what counts when there is none
 *	milter_macro.c		the macros that go along
 *	milter_content.c	the whole message, at its end
 *	milter_change.c		what they want changed in it
 *	milter_checks.c		milter_header_checks
 *
 * A filter hears of a client before the client is greeted, and of its HELO before that is answered; of a local user with the
 * first mail. The state of a connection belongs to the session, what was said of a message to its transaction. The pure part
 * is src/milter.
 */
#ifndef SMTPD_MILTER_H
#define SMTPD_MILTER_H

#include "milter/answer.h"
#include "milter/head.h"
#include "milter/terms.h"
#include "smtpd/endpoint.h"
#include "smtpd/smtpd.h"

/* A filter, whoever speaks to it: so that its going and coming are told once. */
struct milter_service {
	struct milter_service *next;
	struct str where; /* as configured */
	bool away;
	unsigned long long failures; /* since it went */
};

enum milter_action_on_error {
	ON_ERROR_ACCEPT,
	ON_ERROR_REJECT,
	ON_ERROR_TEMPFAIL,
	ON_ERROR_QUARANTINE,
	ON_ERROR_SHUTDOWN
};

/* One word of smtpd_milters: "inet:localhost:8891", or "{ unix:private/x, default_action=accept }". */
struct milter_spec {
	struct milter_service *service;
	struct str unix_path; /* n == 0: by TCP */
	struct str host;
	uint16_t port;
	uint64_t connect_ms, command_ms, content_ms;
	enum milter_action_on_error on_error;
	const char *on_error_name;
	struct milter_terms offer;
	const char *fault; /* it is written wrongly, and that is how; NULL: it is not */
};
struct milter_list {
	const struct milter_spec *item;
	size_t n;
};

struct milter_settings { /* of a service */
	struct milter_list list;
	const char *maps; /* smtpd_milter_maps; "": none */
	const char *macros[MILTER_MACRO_LISTS];
	const char *defaults;	   /* milter_macro_defaults */
	const char *header_checks; /* milter_header_checks; "": none */
};
struct milter_list milter_list_parse(const struct conf_view *v, struct str text, struct arena *mem);

/* ---- milter_conn.c ---- */

struct milter_link;
struct milter_conn {
	struct milter_link *link; /* NULL: nobody waits for it any more */
	uv_loop_t *loop;
	const struct milter_spec *spec;
	int fd, events;
	uv_poll_t poll;
	uv_timer_t timer, again; /* of an answer; of another attempt to connect, or another turn */
	unsigned open_handles;
	struct dns_query name_query; /* of its host */
	bool asks_name;
	struct buf in, out;
	size_t sent;
	bool has_poll, connected, up, closing; /* up: the terms are agreed */
	const char *fault;		       /* found while it was made; told from the loop */
	struct milter_terms terms;
	struct buf terms_text; /* holds terms.macros */
};
/* Begin to connect and to negotiate; milter_on_up() or milter_on_failure() comes from the loop. */
struct milter_conn *milter_conn_new(uv_loop_t *loop, const struct milter_spec *spec, struct milter_link *link);
/* What was put into c->out leaves; milter_on_sent() when all of it did. Nothing is called from within. */
void milter_conn_send(struct milter_conn *c);
/* Give others their turn: milter_on_sent() comes in the next one of the loop. Once it is up. */
void milter_conn_turn(struct milter_conn *c);
/* An answer, or that all is sent, must come within that time; 0: nothing is waited for. */
void milter_conn_time(struct milter_conn *c, uint64_t ms);
/* Say QUIT, if it can be said at once, and close. Frees it, in a later turn of the loop. */
void milter_conn_close(struct milter_conn *c);

/* milter_hear.c; from the loop */
void milter_on_up(struct milter_link *l);
void milter_on_sent(struct milter_link *l);
void milter_on_packet(struct milter_link *l, const struct milter_packet *p);
/* The connection is of no use; it is closed already. */
void milter_on_failure(struct milter_link *l, const char *why);

/* ---- a session and its filters ---- */

struct milter_refusal {
	int code; /* 0: none */
	char enhanced[12];
	struct buf lines; /* each ended by LF */
};

struct milter_link { /* of a session with a filter */
	struct milter_session *of;
	const struct milter_spec *spec;
	struct milter_conn *conn;	    /* NULL: none */
	bool told_connect, told_helo, told; /* the event at hand */
	bool awaited;			    /* an answer is */
	bool checking;			    /* ... of mapd, about its fields */
	enum milter_event asked;	    /* … to this event */
	bool over;			    /* it accepted the session: it is told nothing more */
	bool failed;			    /* and what its default action says is `refusal`, or nothing */
	bool in_mail, accepted;		    /* it knows of the message at hand; has accepted it */
	unsigned skips;			    /* bits of events that it wants no more of in this message */
	struct milter_refusal refusal;	    /* of the session, from connect or HELO on */
};

struct milter_session {
	struct session *session;
	struct arena *mem;
	struct milter_link *link;
	size_t n;
	/* what is being told */
	enum milter_event event;
	size_t at;
	struct buf text; /* MILTER_UNKNOWN: the command */
	struct milter_refusal verdict;
	enum outcome (*then)(struct session *s, bool taken);
};
/* Of connection and HELO the refusal is told by who begins: it lasts, and is the answer to MAIL. */
static inline bool milter_is_early(const struct milter_session *m)
{
	return m->event == MILTER_CONNECT || m->event == MILTER_HELO;
}

/* What they said of a message: part of the transaction. */
struct milter_mail {
	bool hold, discard;
	struct buf head; /* the header is kept here until they have seen it; the spool has what follows */
	bool keeps_head;
	bool head_is_long; /* more than they can be shown */
	struct str own;	   /* our Received in it */
	/* the message on its way to one of them */
	enum { CONTENT_HEADER, CONTENT_EOH, CONTENT_BODY, CONTENT_EOM, CONTENT_CHANGES } phase;
	struct str head_left;
	struct spool_cursor cursor;
	bool at_line_start, macros_sent;
	uint64_t until_ms; /* it has to come to its end */
	/* what it wants changed, until its verdict */
	struct arena *mem;
	struct milter_edit *edits, **last_edit;
	struct rcpt_edit *rcpts, **last_rcpt;
	struct str new_sender, new_sender_args, why_held;
	bool changes_sender, changes_body, asks_hold;
	size_t change_octets;
	/* milter_checks.c: the one of `edits` that is looked up */
	struct map_request check;
	bool is_checking;
	struct milter_link *checked;
	struct milter_edit **check_at;
	struct spool_msg body;
	struct data_scan body_scan;
	/* what all want changed in the envelope */
	bool sender_is_new;
	struct str sender, sender_args;
	struct rcpt_edit *agreed, **last_agreed;
	/* what goes on: when mapd has answered; when all is done */
	enum outcome (*then)(struct session *s, bool taken);
	enum outcome (*after_message)(struct session *s, bool taken);
};
struct rcpt_edit {
	struct rcpt_edit *next;
	bool add;
	struct str address, args;
};

/* milter_session.c: find out who they are, and tell them MAIL, or without mail CONNECT. Not taken: that is not known. */
enum outcome milter_list_find(struct session *s, enum outcome (*then)(struct session *s, bool taken));

/* milter_tell.c */
/* Tell all of them, one after the other. A refusal is answered and logged here; `then` goes on: taken or refused. */
enum outcome milter_begin(struct session *s, enum milter_event e, enum outcome (*then)(struct session *s, bool taken));
/* Is it the one that is being told, and waited for? */
bool milter_is_at_hand(const struct milter_link *l);
/* From the loop: it has answered, all is sent, or nothing will come of it. Go on, if it is the one at hand. */
void milter_resume(struct milter_link *l);
/* Macros and command are in conn->out: send it; true: its answer is to be waited for. */
bool milter_link_ask(struct milter_link *l, enum milter_event e, uint64_t ms);

/* milter_hear.c */
/* Nothing more is to be had from it in this message: hang up; its default action is what it says. */
void milter_link_fail(struct milter_link *l, const char *why);
void milter_hold_mail(struct session *s, const char *why);
void milter_refuse(struct milter_refusal *r, int code, const char *enhanced, const char *text);
void milter_refusal_drop(struct milter_refusal *r);
void milter_refusal_copy(struct milter_refusal *to, const struct milter_refusal *from);
/* The log has its first line. */
void milter_log_refusal(const struct session *s, const struct milter_refusal *r);
/* Answer and log it. R_CLOSE: it ends the connection. */
enum outcome milter_answer_refusal(struct session *s, const struct milter_refusal *r);

/* milter_macro.c */
void milter_put_macros(struct milter_link *l, enum milter_event e);

/* milter_content.c */
/* Go on with the message that is being shown. True: it waits. */
bool milter_content_step(struct milter_link *l);
void milter_content_begin(struct milter_link *l);
/* It says that it is still at work. */
void milter_content_goes_on(struct milter_link *l);

/* milter_checks.c: milter_header_checks, between a good verdict and what it changes. True: it waits for them; commit follows. */
bool milter_checks_begin(struct milter_link *l);
void milter_checks_drop(struct milter_mail *m);

/* milter_change.c */
/* Before the verdict on a message. NULL: taken; else what is wrong with it. */
const char *milter_change_take(struct milter_link *l, const struct milter_answer *a);
/* Its verdict was good. NULL; else why that cannot be done, and is not. */
const char *milter_change_commit(struct milter_link *l);
/* All verdicts were good: change the envelope. `then` goes on; not taken: that is answered. */
enum outcome milter_change_apply(struct session *s, enum outcome (*then)(struct session *s, bool taken));
/* Forget it. */
void milter_change_drop(struct milter_mail *m);

#endif
