/*
 * queue.h - the sub-commands of `gatepost queue`. Each takes its own arguments (argv[0] is its word) and returns the exit
 * code: 0 done, 1 it failed and said why, 2 wrong usage.
 */
#ifndef CTL_QUEUE_H
#define CTL_QUEUE_H

#include "conf/conf.h"

/* queue_fsck.c; its exit codes are of its own, gatepost(8) has them */
int queue_fsck(const struct conf *conf, int argc, char **argv);
int queue_top(const struct conf *conf, int argc, char **argv);

/* Find the sub-command and run it. */
int ctl_queue(const struct conf *conf, int argc, char **argv);

#endif
