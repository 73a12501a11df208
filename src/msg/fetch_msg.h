/*
 * fetch_msg.h - authd and fetchd, which speaks HTTP for it. authd says once to which URLs it will ever want to go (SETUP), and
 * each call names one of them by its number; so a taken authd can reach no other place. Calls may be under way side by side;
 * answers come in any order.
 */
#ifndef MSG_FETCH_MSG_H
#define MSG_FETCH_MSG_H

#include "base/ipc.h"
#include "msg/fetch_url.h"

enum fetch_msg {
	/* to fetchd */
	MSG_FETCH_SETUP = 1,  /* first of all; fds: a file of authorities for each site that has one, in their order */
	MSG_FETCH_ASK = 2,    /* u32 call, u32 site, and fetch_ask_encode() */
	MSG_FETCH_CANCEL = 3, /* u32 call: no answer is wanted any more */
	/* from fetchd */
	MSG_FETCH_ANSWER = 32 /* u32 call, and fetch_answer_encode() */
};

enum {
	FETCH_SITES_MAX = 16,
	FETCH_CALLS_MAX = 256,	       /* under way at a time */
	FETCH_BODY_MAX = 64 * 1024,    /* octets of an answer */
	FETCH_REQUEST_MAX = 64 * 1024, /* octets of suffix, header and body together */
	FETCH_TIMEOUT_MAX_MS = 60 * 1000,
	FETCH_ETAG_MAX = 256
};
#define FETCH_NO_AGE UINT32_MAX

/* What becomes of logins while a site does not answer: for the log. */
enum fetch_loss {
	FETCH_LOSS_LOGINS,  /* those that need it get a temporary failure */
	FETCH_LOSS_KEYS,    /* … that show a token which is signed by a key that is new there */
	FETCH_LOSS_NONE,    /* they go on without it */
	FETCH_LOSS_REFUSED, /* they are refused */
	FETCH_LOSSES
};

struct fetch_setup {
	size_t n;
	struct fetch_setup_site {
		struct str url;
		bool has_authorities; /* false: those of the system are trusted */
		uint32_t idle_s;      /* how long a connection is kept that nobody uses */
		uint8_t loss;	      /* enum fetch_loss */
	} site[FETCH_SITES_MAX];
};

struct fetch_ask {
	bool is_post;	     /* else GET */
	uint32_t timeout_ms; /* for all of it: 1 to FETCH_TIMEOUT_MAX_MS */
	struct str suffix;   /* behind the site's URL; printable ASCII without "#"; needs a path there */
	struct str header;   /* "Name: value\n" lines */
	struct str body;     /* of a POST */
};

struct fetch_answer {
	struct str why;	    /* n > 0: there was no answer, says this text */
	uint32_t status;    /* 100 to 599; a redirection is no answer */
	uint32_t max_age_s; /* of Cache-Control; FETCH_NO_AGE: it says nothing; 0: it is not to be kept */
	struct str etag;    /* with its quotes; n == 0: none */
	struct str body;
};

void fetch_setup_encode(struct buf *out, const struct fetch_setup *s);
void fetch_ask_encode(struct buf *out, const struct fetch_ask *a);
void fetch_answer_encode(struct buf *out, const struct fetch_answer *a);
/* Slices point into the message. Return 0, or -1: malformed, or not permitted. They read to its end. */
int fetch_setup_decode(struct ipc_in *in, struct fetch_setup *s);
int fetch_ask_decode(struct ipc_in *in, struct fetch_ask *a);
int fetch_answer_decode(struct ipc_in *in, struct fetch_answer *a);

#endif
