/*
 * ipc.h - messages between our own processes: SOCK_SEQPACKET, typed, length-checked, with descriptors.
 *
 * A message is a type (u16) and a payload; numbers are little-endian, a str is u32 length and octets. What a peer may
 * send is a table of rules: another type, too many descriptors, a payload that does not parse to its very end, all are
 * a violation, and the channel ends with IPC_VIOLATION. One struct ipc is embedded in its owner (container_of).
 * docs/protocol/ipc.md has every message.
 */
#ifndef BASE_IPC_H
#define BASE_IPC_H

#include "base/arena.h"
#include "base/buf.h"
#include <uv.h>

enum {
	IPC_MAX_OCTETS = 160 * 1024, /* of one message, type included */
	IPC_MAX_FDS = 64,
	IPC_MAX_PENDING = 64 * 1024 * 1024 /* octets waiting to be sent before the peer counts as dead */
};

/* Reading a payload: each get returns a zero value and sets bad when octets are missing. */
struct ipc_in {
	struct str rest;
	bool bad;
};
uint8_t ipc_get_u8(struct ipc_in *in);
uint16_t ipc_get_u16(struct ipc_in *in);
uint32_t ipc_get_u32(struct ipc_in *in);
uint64_t ipc_get_u64(struct ipc_in *in);
/* Borrowed from the message: valid until the handler returns. */
struct str ipc_get_str(struct ipc_in *in);
/* True when everything was there and nothing is left over. Every handler ends its parse with it. */
bool ipc_get_end(const struct ipc_in *in);

/* Writing a payload; the buffer's maximum bounds it (the add functions' -1 shows as a short buffer: ipc_send panics). */
void ipc_put_u8(struct buf *b, uint8_t v);
void ipc_put_u16(struct buf *b, uint16_t v);
void ipc_put_u32(struct buf *b, uint32_t v);
void ipc_put_u64(struct buf *b, uint64_t v);
void ipc_put_str(struct buf *b, struct str s);
#define IPC_BUF	       BUF_INIT(IPC_MAX_OCTETS - 2)
#define IPC_BUF_SECRET BUF_SECRET(IPC_MAX_OCTETS - 2)

struct ipc;
enum ipc_end {
	IPC_CLOSED,   /* the peer ended, or an error of the socket   */
	IPC_VIOLATION /* the peer sent what it may not; reason is in ipc->why */
};

struct ipc_rule {
	uint16_t type;
	unsigned max_fds;
	/*
	 * 0: done; -1: malformed or not permitted now (ends the channel). A descriptor that is kept is set to -1 in fds;
	 * the others are closed by the caller.
	 */
	int (*run)(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds);
};

struct ipc {
	uv_poll_t poll;
	int fd; /* -1: closed */
	const struct ipc_rule *rules;
	size_t n_rules;
	/* Called once, when the peer is gone; the owner then calls ipc_close(). */
	void (*on_end)(struct ipc *c, enum ipc_end end);
	void (*on_closed)(struct ipc *c);
	struct ipc_pending *first, **last; /* messages that the socket did not take yet */
	size_t pending_octets;
	const char *why;
};

/*
 * Begin on a connected SEQPACKET socket. Takes: fd. `rules` must outlive the channel.
 */
void ipc_open(struct ipc *c, uv_loop_t *loop, int fd, const struct ipc_rule *rules, size_t n_rules,
	void (*on_end)(struct ipc *c, enum ipc_end end));
bool ipc_is_open(const struct ipc *c);
/*
 * Send one message. Takes a copy of the payload; fds stay the caller's (they are duplicated by the kernel, or by us
 * when the message has to wait). Order is kept. On a closed channel it does nothing and returns -1; else 0.
 */
int ipc_send(struct ipc *c, uint16_t type, struct str payload, const int *fds, unsigned n_fds);
/*
 * Wait up to timeout_ms for one message and run its rule, for an answer without which the caller cannot go on. The bound
 * is the caller's: nothing else of the process happens meanwhile. 1: there was one; 0: none in time; -1: the channel has
 * ended, and on_end was called.
 */
int ipc_wait(struct ipc *c, int timeout_ms);
/* End it. on_closed (NULL: nothing) runs when the struct may be freed. Allowed once, also after on_end. */
void ipc_close(struct ipc *c, void (*on_closed)(struct ipc *c));

/* One blocking message, for start-up before there is a loop. Returns payload octets, or -1 (errno). *type is set. */
ssize_t ipc_read_now(int fd, uint16_t *type, char *payload, size_t size, int *fds, unsigned *n_fds);
/* The same way out; fds stay the caller's. 0 or -1 (errno). */
int ipc_write_now(int fd, uint16_t type, struct str payload, const int *fds, unsigned n_fds);
/* A connected pair, close-on-exec, with socket buffers that hold a few hundred messages. 0 or -1 (errno). */
int ipc_pair(int pair[2]);

#endif
