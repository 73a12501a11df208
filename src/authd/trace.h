/*
 * trace.h - the way of one login, step by step: for whoever watches it over the control socket (`gatepost auth test`), and, with
 * auth_debug, for the log. What is said never holds a password, a hash, a token or a proof.
 *
 * The control socket is public/auth-trace below queue_directory, for root and for the account that started the instance: a
 * client of the authentication sockets, smtpd included, learns nothing of why a login fails. Its words are those of
 * docs/protocol/auth.md, section "Watching a login".
 */
#ifndef AUTHD_TRACE_H
#define AUTHD_TRACE_H

#include "auth/password.h"
#include "authd/login.h"

/*
 * A step, in one line: `what`, then pairs of const char * ("result=") and struct str. Costs nothing while nobody
 * watches this login. "at=", microseconds since the login began, is added.
 */
#define TRACE(l, ...) ((l)->is_traced ? trace_step((l), __VA_ARGS__, (const char *)0) : (void)0)
void trace_step(const struct login *l, const char *what, ...);

/* AUTH was read: is it watched? Then the first line. */
void trace_begin(struct login *l);
/* The name as the databases are asked for it. */
void trace_name(const struct login *l);
/* The first passdb was found, or none (step is not DB_ASK). */
void trace_first(const struct login *l, enum db_step step);
/* What passdb number `at` answered; as l->lookup. */
void trace_lookup(const struct login *l);
/* Why a look-up failed, as the log has it. Never NULL. */
const char *trace_lookup_fault(const struct lookup *u);
/* The password was compared: as password_verify() says. `how`: "hashed", "remembered" … */
void trace_compared(const struct login *l, int verdict, const char *how);
/* What is stored, for a mechanism that shows no password. */
void trace_key(const struct login *l, enum password_use use);
/* A token was checked. */
void trace_token(const struct login *l);
/* Block `at` said `r`, and what that means. */
void trace_decided(const struct login *l, size_t at, enum db_result r, enum db_step step);
/* The end: "ok", "fail" or "temp_fail"; code and why may be NULL. delay_ms: until it is told. */
void trace_end(const struct login *l, const char *outcome, const char *code, const char *why, uint64_t delay_ms);

/* One line of the control socket. Returns 0, or -1: the client broke the protocol, and was ended. */
int trace_line(struct client *c, struct str word, struct str rest);
/* The client is gone. */
void trace_drop(struct client *c);

#endif
