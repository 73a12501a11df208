/*
 * pam.h - PAM blocks, and its modules do what they like: it is asked by a process of its own, authpam, over a channel that
 * master makes. Here is who waits for its answer.
 */
#ifndef AUTHD_PAM_H
#define AUTHD_PAM_H

#include "msg/pam_msg.h"

struct authd;
struct login;
struct pam_link {
	struct pam_channel *channel; /* NULL: authpam is not there */
	struct login *first, **last; /* who waits, in the order of asking */
	unsigned n;
	uint32_t last_id;
};

/* A channel to authpam is there; the one before it, and what was asked there, is over. Takes: fd. */
void pam_peer(struct authd *a, unsigned index, int fd);
/*
 * Ask it about l->vars.user and l->vars.pass, by passdb l->passdb; verify_pam_answer() comes later. Returns 0, or -1 with *why
 * (for the log): it cannot be asked now.
 */
int pam_verify(struct authd *a, struct login *l, const char **why);

#endif
