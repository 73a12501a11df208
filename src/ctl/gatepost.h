/*
 * gatepost.h - the commands of gatepost(8). Each takes its own arguments (argv[0] is the word after the command's name
 * where it has sub-commands) and returns the exit code: 0 done, 1 it failed and said why, 2 wrong usage.
 */
#ifndef CTL_GATEPOST_H
#define CTL_GATEPOST_H

#include "base/buf.h"
#include "conf/conf.h"

int ctl_init(int argc, char **argv);
int ctl_start(const char *config_directory, int argc, char **argv);
int ctl_stop(const char *config_directory);
int ctl_reload(const char *config_directory);
int ctl_status(const char *config_directory, int argc, char **argv);
int ctl_check(const char *config_directory);

/*
 * The domain of a new user becomes one of virtual_mailbox_domains, when it is in no list of ours yet and no table decides
 * there; a running instance takes it up. Returns an exit code.
 */
int ctl_add_domain(const struct conf *conf, struct str user);

/* Read the configuration; says all faults and warnings on stderr. NULL: there were faults. */
struct conf *ctl_conf(const char *config_directory);
/* All faults of the configuration that can be found without starting, a line each. Returns their number. */
unsigned ctl_faults(const char *config_directory, struct buf *lines, struct buf *warnings);
/* Is its master there? Anybody may look. */
bool ctl_is_running(const struct conf *conf);
/* Ask master over its socket. 0 and the answer; -1 (errno): EACCES may not ask, EAGAIN no answer in 10 s, else not running. */
int ctl_ask_master(const struct conf *conf, const char *word, struct buf *answer);
/* Say on stderr what that errno means for who asked for `word`. */
void ctl_say_no_answer(const struct conf *conf, const char *word);
/* Directory of this program. */
const char *ctl_program_directory(void);
/* Path of a daemon: beside this program, or in ../libexec/gatepost. NULL: not there. */
const char *ctl_daemon_directory(void);

#endif
