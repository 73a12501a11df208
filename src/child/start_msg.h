/*
 * start_msg.h - the first message of master to a child (MSG_START): who it is, and its descriptors.
 *
 * Descriptors, in this order: text of main.cf, text of master.cf (both memfd: a restarted child sees the configuration
 * that master runs with, not a half-edited file), the log when log_to is LOG_TO_FD, the memory of
 * base/counts.h when has_counts, the stores of certificates or keys, then the listeners.
 */
#ifndef CHILD_START_MSG_H
#define CHILD_START_MSG_H

#include "base/buf.h"
#include "base/ipc.h"

enum { START_MAX_LISTENERS = 32, START_MAX_STORES = 16, START_MAX_SECRETS = 8, START_SECRET_OCTETS = 32 };

struct start_listener {
	struct str service, type, address;
};

struct start_msg {
	uint32_t index, count, uid, gid, log_to, facility;
	uint8_t root, verbose, has_counts;
	uint32_t counts_table;
	uint32_t slot, n_store;
	struct str config_directory, queue_directory, log_name, seed;
	struct str secrets; /* of session tickets: START_SECRET_OCTETS each, the newest first */
	struct start_listener listener[START_MAX_LISTENERS];
	uint32_t n_listener;
};

void start_msg_encode(struct buf *out, const struct start_msg *m);
/* Slices point into the payload. 0, or -1: malformed. */
int start_msg_decode(struct ipc_in *in, struct start_msg *m);

#endif
