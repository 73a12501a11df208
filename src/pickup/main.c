/*
 * pickup - take what sendmail(1) left in maildrop to smtpd; run by master, once for what is there.
 *
 *	pickup QUEUE_DIRECTORY LOG_NAME SYSLOG_FACILITY|-1	(-1: the log is descriptor 3)
 *
 * The directory is writable for everybody. What lies there is trusted for one thing only: who its owner is. The parent,
 * which is root when master is, opens, looks at the inode, and removes; it reads no octet. A child for each file takes
 * the owner's uid for good before it reads, and connects with it, so that smtpd sees what the owner could have sent; its
 * jail leaves it the descriptor of the file and the socket of smtpd.
 */
#include "base/jail.h"
#include "base/log.h"
#include "ctl/submit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LEFT_OVER_S = 24 * 3600, PER_RUN = 10000, CHILD_S = 60, CHECK_US = 2000, AGAIN_S = 60 };
enum outcome { OUTCOME_DONE, OUTCOME_LATER, OUTCOME_BAD, OUTCOME_DOWN };

/* Tell the sender what was refused: a submission of its own, from <>. */
static enum outcome report(struct str text, struct str said)
{
	struct buf notice = BUF_INIT(1 << 20), content = BUF_INIT(1 << 20), ignored = BUF_INIT(65536);
	struct str line = str_sub(text, 0, (size_t)str_chr(text, '\n')), sender;
	ptrdiff_t end = str_chr(line, '>');
	enum submit_result r = SUBMIT_REFUSED;
	int fd = submit_connect();

	sender = end < 11 ? STR("") : str_sub(line, 11, (size_t)end - 11); /* behind "MAIL FROM:<" */
	if (fd < 0)
		return OUTCOME_DOWN;
	if (sender.n) {
		buf_addf(&content,
			"From: MAILER-DAEMON (Mail Delivery System)\nTo: %.*s\nSubject: Undelivered Mail Returned to "
			"Sender\nAuto-Submitted: auto-replied\n\nYour message, kept while the mail system was away, "
			"was refused:\n\n%.*s",
			STR_ARG(sender), STR_ARG(said));
		buf_addf(&notice, "MAIL FROM:<>\r\nRCPT TO:<%.*s>\r\nDATA\r\n", STR_ARG(sender));
		submit_content(&notice, buf_str(&content));
		r = submit_send(fd, buf_str(&notice), &ignored);
	} else {
		close(fd);
	}
	return r == SUBMIT_LATER || r == SUBMIT_DOWN ? OUTCOME_LATER : OUTCOME_DONE;
}

/* A file that waits for long shall not do so in silence. What put it off was said last. */
static void tell(const char *name, struct str said)
{
	struct str all = str_trim(said), last = str_from(all, (size_t)(str_rchr(all, '\n') + 1));

	if (last.n)
		log_warn("%s: not taken now, and tried again: %.*s", name, STR_ARG(last));
}

/* In the child: the file's owner. */
static enum outcome deliver(const char *name, int fd, size_t octets)
{
	struct buf said = BUF_INIT(65536);
	struct str text;
	void *p = mmap(NULL, octets, PROT_READ, MAP_PRIVATE, fd, 0);
	int server;

	if (p == MAP_FAILED)
		return OUTCOME_LATER;
	text = str_pn(p, octets);
	if (!submit_is_whole(text))
		return OUTCOME_BAD;
	server = submit_connect();
	if (server < 0)
		return OUTCOME_DOWN;
	switch (submit_send(server, text, &said)) {
	case SUBMIT_DONE:
		return OUTCOME_DONE;
	case SUBMIT_PARTLY:
	case SUBMIT_REFUSED:
		return report(text, buf_str(&said));
	case SUBMIT_DOWN:
		return OUTCOME_DOWN;
	case SUBMIT_LATER:
		tell(name, buf_str(&said));
		break;
	}
	return OUTCOME_LATER;
}

static void become(const struct stat *st)
{
	const struct rlimit cpu = { CHILD_S, CHILD_S };

	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(st->st_gid, st->st_gid, st->st_gid) != 0 ||
				      setresuid(st->st_uid, st->st_uid, st->st_uid) != 0))
		_exit(OUTCOME_LATER);
	if (geteuid() != st->st_uid)
		_exit(OUTCOME_LATER);
	setrlimit(RLIMIT_CPU, &cpu);
	jail_enter(&(struct jail){ .role = JAIL_PICKUP });
}

static enum outcome run_child(const char *name, int fd, const struct stat *st)
{
	int status = 0;
	pid_t pid;

	log_flush();
	pid = fork();
	if (pid == 0) {
		enum outcome outcome;

		become(st);
		outcome = deliver(name, fd, (size_t)st->st_size);
		jail_tell();
		log_flush();
		_exit((int)outcome);
	}
	if (pid < 0)
		return OUTCOME_LATER;
	for (unsigned n = 0; waitpid(pid, &status, WNOHANG) == 0; n++) {
		if (n == CHILD_S * (1000000 / CHECK_US)) /* its owner may stop it: nobody else waits for that */
			kill(pid, SIGKILL);
		usleep(CHECK_US);
	}
	return WIFEXITED(status) ? (enum outcome)WEXITSTATUS(status) : OUTCOME_LATER;
}

/* NULL: it may be taken; "": not yet; else why it is thrown away. */
static const char *refuse(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (st->st_nlink != 1)
		return "it has other names";
	if (geteuid() != 0 && st->st_uid != geteuid())
		return "";
	if ((st->st_mode & S_IXGRP) && time(NULL) - st->st_mtime < AGAIN_S)
		return ""; /* tried a moment ago */
	if (st->st_mode & S_IXUSR)
		return st->st_size > 0 ? NULL : "it is empty";
	return time(NULL) - st->st_mtime > LEFT_OVER_S ? "it was never finished" : "";
}

static void remove_entry(const char *name, const char *why)
{
	log_warn("%s: %s: removed", name, why);
	if (unlink(name) != 0 && errno == EISDIR)
		log_warn("%s: a directory; remove it by hand", name);
}

/* False: nobody takes mail now; the rest waits. */
static bool take(const char *name)
{
	int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	enum outcome outcome = OUTCOME_DONE;
	const char *why;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		if (fd < 0 && errno == ELOOP)
			remove_entry(name, "a symbolic link");
		else if (fd < 0 && errno != ENOENT)
			log_warn("%s: %s", name, strerror(errno));
		if (fd >= 0)
			close(fd);
		return true;
	}
	why = refuse(&st);
	if (why == NULL) {
		outcome = run_child(name, fd, &st);
		if (outcome == OUTCOME_DONE)
			unlink(name);
		else if (outcome == OUTCOME_BAD)
			why = "it is no submission";
		else if (outcome == OUTCOME_LATER && futimens(fd, NULL) == 0)
			fchmod(fd, S_IRWXU | S_IXGRP);
	}
	close(fd);
	if (why && *why)
		remove_entry(name, why);
	return outcome != OUTCOME_DOWN;
}

static void open_the_log(char **argv)
{
	int facility = atoi(argv[3]);

	log_open(facility < 0 ? LOG_TO_FD : LOG_TO_SYSLOG, argv[2], facility < 0 ? 3 : -1, facility < 0 ? 0 : facility);
}

int main(int argc, char **argv)
{
	const struct dirent *entry;
	unsigned n = 0;
	char path[sizeof "maildrop/" + 256];
	DIR *dir;

	if (argc != 4) {
		fprintf(stderr, "pickup is started by master\n");
		return 2;
	}
	open_the_log(argv);
	if (chdir(argv[1]) != 0 || (dir = opendir("maildrop")) == NULL) {
		log_error("%s/maildrop: %s", argv[1], strerror(errno));
		log_flush();
		return 1;
	}
	while (n++ < PER_RUN && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "maildrop/%.255s", entry->d_name);
		if (!take(path))
			break;
	}
	closedir(dir);
	log_flush();
	return 0;
}
