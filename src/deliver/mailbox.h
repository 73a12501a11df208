/*
 * mailbox.h - put one message into one mailbox: a Maildir or an mbox file. Blocking; runs in a process of its own
 * (worker.c), as the recipient.
 */
#ifndef DELIVER_MAILBOX_H
#define DELIVER_MAILBOX_H

#include "log/spool_reader.h"
#include "msg/job_msg.h"
#include <sys/types.h>

struct mailbox {
	const char *base;      /* directory, absolute; trusted (it is in main.cf, or a home directory) */
	const char *base_name; /* what it is, for texts: "virtual_mailbox_base" */
	struct str path;       /* below base; checked by path_fault(); ends in "/": Maildir */
	bool take_ids;	       /* become uid and gid (started by root); else they mean nothing */
	uid_t uid;
	gid_t gid;
	gid_t extra_gid;	/* mbox: group of the spool directory, which lets us make files in it; else gid */
	uint64_t limit;		/* octets: of the message (Maildir), of the file (mbox); 0: none */
	const char *limit_name; /* the parameter, for texts */
	unsigned mime_depth;	/* of content_begin() */
	bool lock_fcntl, lock_dot, lock_flock; /* mbox */
	const char *host;		       /* for the names of Maildir files */
	struct str recipient;		       /* Delivered-To */
	struct str original;		       /* X-Original-To */
	const struct envelope *env;
	const struct segment_set *segments;
};

struct mailbox_result { /* crosses a pipe: no pointers */
	enum rcpt_status status;
	char dsn[12];
	char text[800];
};

/* Do it all: take the recipient's ids, check for a loop, write. */
void mailbox_deliver(const struct mailbox *m, struct mailbox_result *r);

/* The two kinds. `dir`: the directory that holds the Maildir's tmp and new (the mbox file); `name`: of the mbox file. */
void maildir_write(const struct mailbox *m, int dir, struct mailbox_result *r);
void mbox_write(const struct mailbox *m, int dir, const char *name, struct mailbox_result *r);

/* Header lines of ours, before the content: Return-Path, X-Original-To, Delivered-To. LF line ends. */
void mailbox_put_header(const struct mailbox *m, struct buf *out);
/* All of p. 0 or -1 (errno). */
int write_all(int fd, const void *p, size_t n);
/* Delivered (2.0.0); the words of the log. */
void mailbox_sent(struct mailbox_result *r, const char *text);
/* A failure with errno `err` at `doing` ("create", "write to") `what`: status code and a sentence that says what to do. */
void mailbox_failed(const struct mailbox *m, struct mailbox_result *r, int err, const char *doing, const char *what);
/* Any other outcome; what *r held is forgotten. */
void mailbox_set(struct mailbox_result *r, enum rcpt_status status, const char *dsn, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
