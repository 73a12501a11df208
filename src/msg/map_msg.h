/*
 * map_msg.h - mapd and those who ask it (smtpd, queued, relay, deliver). Questions may be asked one after the other
 * without waiting; answers come in any order.
 */
#ifndef MSG_MAP_MSG_H
#define MSG_MAP_MSG_H

#include "base/arena.h"
#include "base/ipc.h"
#include "map/map_answer.h"

enum map_msg {
	/* to mapd; u32 request is the asker's number of it */
	MSG_MAP_LOOKUP = 1, /* u32 request, u8 enum map_how, str tables, str key */
	MSG_MAP_RCPT = 2,   /* u32 request, str address */
	MSG_MAP_ROUTE = 3,  /* u32 request, str address, str sender */
	/* from mapd */
	MSG_MAP_ANSWER = 32, /* u32 request, see map_answer_encode() */
	MSG_MAP_MORE = 33    /* u32 request, u32 n, n × str: addresses that stand before those of the answer to come */
};

/*
 * Before an answer, until it returns false: addresses that the answer has no room for. They are taken off the front of
 * a->expanded.
 */
bool map_more_encode(struct buf *out, uint32_t request, struct map_answer *a);
/*
 * They join *all, of which there are *n: NULL and 0, or what this function has made of them. Slices and array are the arena's.
 * 0; -1: malformed, or more than mapd may send.
 */
int map_more_decode(struct ipc_in *in, struct arena *mem, struct str **all, size_t *n);
/* An answer that is too long all the same is sent as MAP_TEMPORARY. */
void map_answer_encode(struct buf *out, uint32_t request, const struct map_answer *a);
/* Slices point into the arena. Returns 0, or -1: malformed. */
int map_answer_decode(struct ipc_in *in, struct arena *mem, struct map_answer *a);

#endif
