/*
 * pam_msg.h - what authd asks of authpam, and what that answers; and the same answer from the process that asked PAM to
 * authpam. docs/protocol/ipc.md has the octets.
 */
#ifndef MSG_PAM_MSG_H
#define MSG_PAM_MSG_H

#include "base/ipc.h"

enum { MSG_PAM_ASK = 1, MSG_PAM_ANSWER = 32 };
enum {
	PAM_SERVICE_MAX = 64,
	PAM_USER_MAX = 1024,
	PAM_PASS_MAX = 4096,
	PAM_ADDRESS_MAX = 64,
	PAM_TEXT_MAX = 512,
	/* Of an encoded answer: less than what a pipe takes whole. */
	PAM_ANSWER_MAX = 5 + 3 * 4 + PAM_USER_MAX + 2 * PAM_TEXT_MAX
};
enum { PAM_SETCRED = 1, PAM_SESSION = 2 }; /* flags of a question */

struct pam_ask {
	uint32_t id;
	uint8_t flags;
	struct str service;    /* a name of /etc/pam.d: letters, digits, "-_.", not one that begins with "." */
	struct str user, pass; /* no NUL in them; pass is a secret */
	struct str address;    /* of the client; "" not known */
};

enum pam_says { PAM_SAYS_OK, PAM_SAYS_NO, PAM_SAYS_UNKNOWN /* such a user */, PAM_SAYS_FAILED /* for now */ };
struct pam_answer {
	uint32_t id;
	enum pam_says result;
	struct str user;    /* by PAM; "" as it was asked */
	struct str message; /* of PAM, for the user */
	struct str why;	    /* for the log; never a secret */
};

/* May it be asked? Returns NULL, or what is wrong (static). */
const char *pam_ask_check(const struct pam_ask *a);
/* *out is empty before, of IPC_MAX_OCTETS. What pam_ask_check() takes fits. */
void pam_ask_encode(struct buf *out, const struct pam_ask *a);
/* 0, or -1: not one, or one that may not be. Borrowed from the message. */
int pam_ask_decode(struct ipc_in *in, struct pam_ask *a);
/* Texts that are too long are cut. */
void pam_answer_encode(struct buf *out, const struct pam_answer *a);
int pam_answer_decode(struct ipc_in *in, struct pam_answer *a);

#endif
