/*
 * half.h - LMTP without root: what an LMTP server says is read in a second process, as mail_owner.
 *
 * When master runs as root, deliver forks once at its start, before the jail. The half runs the same code (peer.c,
 * job.c, lmtp.c) for jobs of command lmtp only; deliver passes it those jobs and the segments, and its results back.
 * Each life of queued has a channel of its own to the half, so that a result never reaches the wrong one. When the half
 * ends, deliver ends too: master starts both anew, and queued gives the jobs again.
 */
#ifndef DELIVER_HALF_H
#define DELIVER_HALF_H

#include "deliver/deliver.h"

/* Fork it. Returns in deliver only (d->half is open), or at once when there is no root to give up. */
void half_start(struct deliver *d);
/* A channel for `c` to the half. */
void half_connect(struct channel *c);
/* Pass these on, when there is a half; fd stays the caller's. true: it was a job for it. */
bool half_job(struct channel *c, const struct job *job, struct str payload);
void half_segment_open(struct channel *c, uint64_t generation, int fd);
void half_segment_close(struct channel *c, uint64_t generation);
/* queued is gone: end the channel to the half. c->half_closed is set when that is done, and channel_free_if_unused() run. */
void half_disconnect(struct channel *c);

#endif
