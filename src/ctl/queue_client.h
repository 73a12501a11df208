/*
 * queue_client.h - ask queued over queue_directory/public/queue: one line there, lines of JSON back. For postqueue(1),
 * postsuper(1), postcat(1). docs/protocol/ipc.md
 */
#ifndef CTL_QUEUE_CLIENT_H
#define CTL_QUEUE_CLIENT_H

#include "conf/conf.h"

#include <stdio.h>

/* The configuration of -c DIR, MAIL_CONFIG or the default place; says what is wrong and exits with 1. */
struct conf *queue_conf(const char *program, const char *dir);
/* Ask. The answer as a stream, to be closed by the caller. Says why and exits with 1 (69 for "not running"). */
FILE *queue_ask(const char *program, const struct conf *conf, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* For a program that draws on the terminal: what is said on stderr comes out at its end, behind what atexit(3) does. */
void queue_on_a_screen(void);
/* The exit code that goes with an "error" of an answer. */
int queue_error_code(const char *error);
/* Ask, and return the "count" of the answer; -1: an "error", which was said on stderr. */
long queue_ask_count(const char *program, const struct conf *conf, const char *word, const char *arg);

#endif
