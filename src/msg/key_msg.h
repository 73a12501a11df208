/*
 * key_msg.h - keyd, which holds the private keys, and smtpd, which has it sign. docs/protocol/ipc.md.
 */
#ifndef MSG_KEY_MSG_H
#define MSG_KEY_MSG_H

#include "base/ipc.h"

enum key_msg {
	/* to keyd */
	MSG_KEY_SIGN = 1, /* see key_question_encode() */
	/* from keyd */
	MSG_KEY_HELLO = 32, /* u32 slot: it signs from now on */
	MSG_KEY_ANSWER = 33 /* see key_answer_encode() */
};

enum {
	KEY_ID_OCTETS = 32,	  /* SHA-256 of the public key (SubjectPublicKeyInfo in DER) */
	KEY_SIGNED_MAX = 4096,	  /* octets that are signed */
	KEY_SIGNATURE_MAX = 2048, /* of RSA with 16384 bits */
	KEY_DER_MAX = 64 * 1024	  /* of a private key */
};

/* What the id of a key is for: to find it. Not secret. */
struct key_id {
	unsigned char octets[KEY_ID_OCTETS];
};

struct key_question {
	uint32_t request; /* the asker's number of it */
	struct key_id key;
	uint16_t scheme; /* TLS SignatureScheme (RFC 8446 sec. 4.2.3) */
	struct str text; /* what is signed, not its digest; 1 to KEY_SIGNED_MAX octets */
};

enum key_status { KEY_SIGNED, KEY_UNKNOWN, KEY_FAILED };
struct key_answer {
	uint32_t request;
	enum key_status status;
	struct str signature; /* KEY_SIGNED: 1 to KEY_SIGNATURE_MAX octets; else n == 0 */
};

void key_question_encode(struct buf *out, const struct key_question *q);
void key_answer_encode(struct buf *out, const struct key_answer *a);
/* Slices point into the payload. 0, or -1: malformed. */
int key_question_decode(struct ipc_in *in, struct key_question *q);
int key_answer_decode(struct ipc_in *in, struct key_answer *a);

/*
 * A store of private keys, in memory that master passes: id, u32 length, DER of the key, again and again. Cuts the first
 * off *rest. 1: there was one; 0: the end; -1: malformed.
 */
int key_store_next(struct str *rest, struct key_id *id, struct str *der);

#endif
