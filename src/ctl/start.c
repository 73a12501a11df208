#include "ctl/gatepost.h"
#include "ctl/instance_conf.h"
#include "ctl/notify.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { START_WAIT_MS = 15000, STOP_WAIT_MS = 10000, READ_WAIT_MS = 10 * 60 * 1000 };

const char *ctl_program_directory(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	if (n <= 0)
		return ".";
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	return path;
}

const char *ctl_daemon_directory(void)
{
	static char path[8192];
	static const char *const places[] = { "", "/../libexec/gatepost" };

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s%s/master", ctl_program_directory(), places[i]);
		if (access(path, X_OK) == 0) {
			*strrchr(path, '/') = '\0';
			return path;
		}
	}
	return NULL;
}

static void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* What a status says: nobody is missing, and each that is there is ready for its work. */
static bool says_ready(const char *text, size_t n)
{
	json_t *status = json_loadb(text, n, 0, NULL), *row;
	const json_t *missing = json_object_get(status, "missing");
	bool ready = json_is_integer(missing) && json_integer_value(missing) == 0;
	size_t i;

	json_array_foreach(json_object_get(status, "processes"), i,
		row) if (!json_is_true(json_object_get(row, "leaving")) && !json_is_true(json_object_get(row, "ready")))
		ready = false;
	json_decref(status);
	return ready;
}

static bool all_ready(const struct conf *conf)
{
	struct buf answer = BUF_INIT(1 << 20);
	bool ready = ctl_ask_master(conf, "status", &answer) == 0 && says_ready(answer.p, answer.n);

	buf_free(&answer);
	return ready;
}

static bool wait_until_ready(const struct conf *conf)
{
	for (int waited = 0; waited < START_WAIT_MS; waited += 20) {
		if (all_ready(conf))
			return true;
		sleep_ms(20);
	}
	return false;
}

static volatile sig_atomic_t master_pid, told_to_stop;

static void pass_on(int signum)
{
	/* Told twice, master ends by force. That is for a person; a script that cleans up after ^C does not mean it. */
	if (signum == SIGTERM && told_to_stop)
		return;
	if (signum != SIGHUP)
		told_to_stop = 1;
	if (master_pid > 0)
		kill((pid_t)master_pid, signum);
}

static pid_t start_master(const char *config_directory, bool foreground)
{
	char path[8300];
	pid_t pid;

	snprintf(path, sizeof path, "%s/master", ctl_daemon_directory());
	pid = fork();
	if (pid == 0) {
		signal(SIGHUP, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		unsetenv("NOTIFY_SOCKET"); /* it is for us */
		if (foreground) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			setpgid(0, 0); /* ^C is for the guard, which passes it on once; two would mean: at once */
		}
		execl(path, "master", "-c", config_directory, foreground ? "-f" : (char *)NULL, (char *)NULL);
		fprintf(stderr, "gatepost: %s: %s\n", path, strerror(errno));
		_exit(127);
	}
	return pid;
}

/* The guard speaks seldom, and the log may have been moved away since: it is opened for each line. */
static void say_killed(const struct conf *conf, int signum)
{
	const char *file = conf_str(conf_main(conf), "maillog_file");
	bool to_file = file[0] && strncmp(file, "/dev/", 5) != 0;
	int fd = to_file ? open(file, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW) : -1;
	char name[160];

	snprintf(name, sizeof name, "%s/gatepost", conf_str(conf_main(conf), "syslog_name"));
	log_open(fd >= 0 ? LOG_TO_FD : LOG_TO_SYSLOG, name, fd, LOG_MAIL);
	log_error("master was killed by signal %d; starting it again", signum);
	log_open(LOG_TO_SYSLOG, name, -1, LOG_MAIL);
	if (fd >= 0)
		close(fd);
}

static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		return;
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(null);
}

enum outcome { ALL_READY, HAS_ENDED, IS_LATE };

/* Until every process is ready, or this child of ours has ended; it is not reaped. */
static enum outcome wait_for_all(const struct conf *conf, pid_t pid)
{
	/* Before it can be asked anything master reads the certificates, which may be very many. */
	for (int waited = 0, reading = 0; waited < START_WAIT_MS && reading < READ_WAIT_MS;) {
		siginfo_t end = { .si_pid = 0 };

		if (all_ready(conf))
			return ALL_READY;
		if (ctl_is_running(conf))
			waited += 50;
		else
			reading += 50;
		if (waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid == pid)
			return HAS_ENDED;
		sleep_ms(50);
	}
	return IS_LATE;
}

/* A service manager goes on with what comes after us when we serve. */
static void tell_manager(const struct conf *conf, pid_t pid)
{
	enum outcome outcome;

	if (!notify_is_wanted())
		return;
	outcome = wait_for_all(conf, pid);
	if (outcome != HAS_ENDED)
		notify_manager(outcome == ALL_READY ? "READY=1" : "READY=1\nSTATUS=not every process is ready");
}

/*
 * The guard: one master after the other, as long as they end by a signal that nobody asked for. Master's own exit codes
 * are final: it said why.
 */
static int guard(const struct conf *conf, const char *config_directory, bool foreground)
{
	struct sigaction action = { .sa_handler = pass_on };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	for (;;) {
		int status = 0;
		time_t started = time(NULL);
		pid_t pid = start_master(config_directory, foreground);

		if (pid < 0)
			return 1;
		master_pid = pid;
		if (told_to_stop)
			kill(pid, SIGTERM);
		if (!foreground)
			leave_terminal(); /* master keeps it until it has said what may be wrong */
		else
			tell_manager(conf, pid);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
		master_pid = 0;
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		if (told_to_stop) /* it can be before master takes signals: then nothing was started yet */
			return WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT ? 0 : 1;
		say_killed(conf, WTERMSIG(status));
		sleep_ms(time(NULL) - started > 2 ? 50 : 500);
	}
}

static int start_in_background(const struct conf *conf, const char *config_directory)
{
	enum outcome outcome;
	pid_t pid = fork();

	if (pid < 0) {
		perror("gatepost: fork");
		return 1;
	}
	if (pid == 0) {
		setsid();
		_exit(guard(conf, config_directory, false));
	}
	outcome = wait_for_all(conf, pid);
	if (outcome == ALL_READY)
		return 0;
	if (outcome == HAS_ENDED) {
		fprintf(stderr, "gatepost: nothing was started\n");
		return 1;
	}
	fprintf(stderr,
		"gatepost: started, but not every process is ready after %d seconds: see `gatepost -c %s status` "
		"and the log\n",
		START_WAIT_MS / 1000, config_directory);
	return 1;
}

/*
 * Says all warnings and faults, and behind faults what becomes of it. Those that master does not look for, such as a
 * certificate that cannot be read, are no better than its own.
 */
static bool is_faultless(const char *dir, const char *otherwise)
{
	struct buf lines = BUF_INIT(1 << 20), warnings = BUF_INIT(1 << 20);
	unsigned faults = ctl_faults(dir, &lines, &warnings);

	if (warnings.n)
		fputs(warnings.p, stderr);
	if (faults)
		fprintf(stderr, "%s%s\n", lines.p ? lines.p : "", otherwise);
	buf_free(&lines);
	buf_free(&warnings);
	return faults == 0;
}

static int start_instance(const char *dir, bool foreground)
{
	struct conf *conf;
	int r;

	if (ctl_daemon_directory() == NULL) {
		fprintf(stderr, "gatepost: the program master is not in %s\n", ctl_program_directory());
		return 1;
	}
	if (!is_faultless(dir, "nothing was started"))
		return 1;
	conf = ctl_conf(dir);
	if (conf == NULL)
		return 1;
	if (ctl_is_running(conf)) {
		fprintf(stderr, "gatepost: it is running already (queue %s)\n",
			conf_str(conf_main(conf), "queue_directory"));
		r = 1;
	} else {
		r = foreground ? guard(conf, dir, true) : start_in_background(conf, dir);
	}
	conf_free(&conf);
	return r;
}

int ctl_start(const char *config_directory, int argc, char **argv)
{
	bool foreground = argc > 1 && strcmp(argv[1], "-f") == 0;
	char *dir;
	int r;

	if (argc > (foreground ? 2 : 1)) {
		fprintf(stderr, "gatepost: start takes -f only\n");
		return 2;
	}
	dir = realpath(config_directory, NULL);
	if (dir == NULL) {
		fprintf(stderr,
			"gatepost: %s: %s; make a new instance with `gatepost init DIR`, or name its etc folder "
			"with -c\n",
			config_directory, strerror(errno));
		return 1;
	}
	r = start_instance(dir, foreground);
	free(dir);
	return r;
}

/* Ask, and say why when there is no answer. 0: *answer is there. */
static int ask_or_say(const struct conf *conf, const char *word, struct buf *answer)
{
	if (ctl_ask_master(conf, word, answer) == 0)
		return 0;
	ctl_say_no_answer(conf, word);
	return 1;
}

int ctl_stop(const char *config_directory)
{
	struct conf *conf = instance_conf("gatepost", config_directory);
	struct buf answer = BUF_INIT(4096);
	int r, waited = 0;

	if (conf == NULL)
		return 1;
	r = ask_or_say(conf, "stop", &answer);
	for (; r == 0 && waited < STOP_WAIT_MS && ctl_is_running(conf); waited += 20)
		sleep_ms(20);
	if (waited >= STOP_WAIT_MS) {
		fprintf(stderr, "gatepost: it has not stopped after %d seconds: see `gatepost -c %s status`\n",
			STOP_WAIT_MS / 1000, config_directory);
		r = 1;
	}
	buf_free(&answer);
	conf_free(&conf);
	return r;
}

static const char not_taken_up[] = "the configuration was not taken up; the one before goes on";

static int reload_instance(const struct conf *conf, const char *config_directory)
{
	struct buf answer = BUF_INIT(1 << 20);
	int r = ask_or_say(conf, "reload", &answer);

	if (r == 0 && !str_eq(buf_str(&answer), STR("ok\n"))) {
		fprintf(stderr, "%s%s\n", answer.p, not_taken_up);
		r = 1;
	} else if (r == 0 && !wait_until_ready(conf)) {
		fprintf(stderr,
			"gatepost: taken up, but not every process is ready after %d seconds: see `gatepost -c %s "
			"status` "
			"and the log\n",
			START_WAIT_MS / 1000, config_directory);
		r = 1;
	}
	buf_free(&answer);
	return r;
}

int ctl_reload(const char *config_directory)
{
	struct conf *conf;
	int r;

	if (!is_faultless(config_directory, not_taken_up))
		return 1;
	conf = ctl_conf(config_directory);
	if (conf == NULL)
		return 1;
	r = reload_instance(conf, config_directory);
	conf_free(&conf);
	return r;
}
