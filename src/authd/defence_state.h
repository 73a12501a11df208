/*
 * defence_state.h - what defence.h counts, as text, for a file that survives a restart. Nothing in it comes from a password.
 *
 *	secret HEX	of what the keys were made with
 *	seen ID		"-": nothing
 *	p|n|w|u KEY USER SCORE AT NETWORK NAME		pair, network, wide network, user; fields with TABs between
 *	k USER NETWORK:DAY …
 *
 * Keys and numbers are hexadecimal; NETWORK and NAME may be empty, and NAME is escaped as in the auth protocol.
 */
#ifndef AUTHD_DEFENCE_STATE_H
#define AUTHD_DEFENCE_STATE_H

#include "authd/defence.h"

struct state_cursor { /* zeroed at the beginning */
	unsigned table;
	size_t at;
};

/* Write the next `places` places of the tables. Returns true when that was the last. false and a full buffer: call again. */
bool defence_state_write(
	const struct defence *d, struct state_cursor *c, size_t places, uint64_t now_ms, struct buf *out);
/*
 * Take in what was written, beside what is there: of each count the greater one. Returns 0, or -1 with *why (static): what
 * came before the fault was taken in.
 */
int defence_state_read(struct defence *d, struct str text, uint64_t now_ms, const char **why);

#endif
