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
	MSG_MAP_ANSWER = 32 /* u32 request, see map_answer_encode() */
};

/* An answer that is too long for a message is sent as MAP_TEMPORARY. */
void map_answer_encode(struct buf *out, uint32_t request, const struct map_answer *a);
/* Slices point into the arena. Returns 0, or -1: malformed. */
int map_answer_decode(struct ipc_in *in, struct arena *mem, struct map_answer *a);

#endif
