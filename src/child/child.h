/*
 * child.h - what every process below master does first and last: take its orders, its configuration and its
 * descriptors from master, open its log, say that it is ready, and stop when it is told.
 *
 *	int main(void)
 *	{
 *		struct child c = { .role = ROLE_MAPD, .on_peer = …, .on_stop = …, .on_status = … };
 *		child_begin(&c);		// conf, log, loop are there now; still with master's rights
 *		… open what is needed …
 *		child_ready(&c, jail_enter(&(struct jail){ … }));
 *		return child_run(&c);
 *	}
 */
#ifndef CHILD_CHILD_H
#define CHILD_CHILD_H

#include "base/ipc.h"
#include "child/start_msg.h"
#include "conf/conf.h"
#include "msg/roles.h"

struct child_listener {
	const struct conf_service *service; /* row of master.cf */
	int fd;				    /* listening, nonblocking; belongs to the process */
	char address[64];		    /* "127.0.0.1:2525", "unix:public/submit", for log lines */
	bool is_local;			    /* a UNIX socket: local mail, the peer is known by its uid */
};

struct child {
	/* set by the process before child_begin() */
	enum role role;
	/* A channel to another process is there. Takes: fd (a SEQPACKET socket for ipc_open). */
	void (*on_peer)(struct child *c, enum role role, unsigned index, int fd);
	/* Stop; any other than STOP_NOW means to finish something first. The process ends by child_exit(). NULL: exit at
	 * once. */
	void (*on_stop)(struct child *c, enum stop_how how);
	/* Members of a JSON object without the braces ("\"sessions\":3"), for `gatepost status`. May be NULL. */
	void (*on_status)(struct child *c, struct buf *json);
	/* For `gatepost auth who`: child_tell_row() for each whom it knows. NULL: nobody. */
	void (*on_who)(struct child *c);
	/* smtpd: secrets of session tickets, START_SECRET_OCTETS each, the newest first; from child_begin() and later. */
	void (*on_tickets)(struct child *c, struct str secrets);

	/* filled in by child_begin() */
	uv_loop_t *loop;
	struct conf *conf;
	const struct conf_view *main; /* main.cf */
	unsigned index, count;	      /* which of how many of this role */
	bool root;		      /* master runs as root: chroot and change the uid */
	uid_t uid;		      /* the account of this role (when root) */
	gid_t gid;
	const char *queue_directory; /* absolute */
	struct child_listener *listener;
	size_t n_listener;
	int counts_fd;	       /* the memory of base/counts.h, for counts_open(); -1: none */
	unsigned counts_table; /* ours in it */
	unsigned slot;	       /* which of the wanted ones of this role it is */
	/* The certificates of an smtpd (tls/held.h), the keys of a keyd (msg/key_msg.h): memory, to be read and closed. */
	int store_fd[START_MAX_STORES];
	unsigned n_store;
	unsigned char seed[32]; /* of an smtpd, the same for all of one start: clients are counted under it */

	/* its own */
	struct ipc master;
	struct buf rows; /* of an answer under way, to the request of that number */
	uint32_t rows_request;
	uv_check_t flush_log;
	uv_signal_t sigterm;
};

/* Never returns without all of it: what is wrong is fatal. */
void child_begin(struct child *c);
/* In the jail and serving. `jail` is shown by `gatepost status`. */
void child_ready(struct child *c, const char *jail);
/* That role is needed beside this one (master_msg.h: MSG_NEED). */
void child_need(struct child *c, enum role role);
/* Run the loop until child_exit(). Returns the exit code. */
int child_run(struct child *c);
/* Leave child_run() with code 0. */
void child_exit(struct child *c);
/* From on_who(): one JSON object, of at most 64 KiB. Its member "kind" says what it is about. */
void child_tell_row(struct child *c, struct str json);
/* A peer broke its permit table: log it, and let master kill it. */
void child_violation(struct child *c, enum role role, unsigned index, const char *why);

#endif
