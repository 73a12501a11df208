/*
 * counts_file.h - what is counted of users (smtpd_sasl_message_rate_limit and its kin) outlives master: a file below
 * queue_directory, pid/user.counts, which only master's account can read. It is written every few seconds while something is
 * counted, and at the end; a new master begins with it. What is counted of clients' addresses is not in it.
 */
#ifndef MASTER_COUNTS_FILE_H
#define MASTER_COUNTS_FILE_H

#include "master/master.h"

/* Before any smtpd: m->counts is there, and m->seed drawn. With a file, the seed is that of the file; without one, or with one
 * that is damaged (which is said), counting begins anew. */
void counts_file_load(struct master *m);
/* From now on, in m->loop. */
void counts_file_begin(struct master *m);
/* The last time: all smtpds have ended. */
void counts_file_leave(struct master *m);

#endif
