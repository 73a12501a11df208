/*
 * master - start the other processes, hold their sockets, restart what ends.
 *
 *	master -c DIR [-f]
 *
 * uid: root, or the person who starts it. Reads main.cf, master.cf; listens; opens the log; talks to its children over
 * one channel each and to `gatepost` over queue_directory/public/control. It reads no octet from the network.
 * SIGTERM, SIGINT: stop. SIGHUP: reload. It is started by `gatepost start`, which says what is wrong beforehand.
 */
#include "master/counts_file.h"
#include "master/master.h"
#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void open_log(const struct master *m)
{
	char name[160];

	snprintf(name, sizeof name, "%s/master", conf_str(m->setup.main, "syslog_name"));
	log_open((enum log_to)m->setup.log_to, name, m->setup.log_fd, m->setup.facility);
}

static void print_lines(struct buf *errors)
{
	struct str rest = buf_str(errors), line;

	while (str_word(&rest, "\n", &line))
		log_error("%.*s", STR_ARG(line));
}

/* One master per queue: the lock lives as long as the process. */
static void lock_pid_file(const struct master *m)
{
	char path[4096], text[32];
	int fd, tries = 30, n;

	snprintf(path, sizeof path, "%s/pid/master.pid", m->queue_directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		fatal("%s: %s", path, strerror(errno));
	/* A master that was just killed may still be on its way out. */
	while (flock(fd, LOCK_EX | LOCK_NB) != 0)
		if (tries-- == 0)
			fatal("another master is running with this queue (%s)", path);
		else
			usleep(100000);
	n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
		fatal("%s: %s", path, strerror(errno));
	fchmod(fd, 0644);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (getuid() == 0 && limit.rlim_max < 65536)
		limit.rlim_max = 65536;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void master_stop(struct master *m)
{
	if (m->stopping) {
		procs_kill(m, SIGKILL);
		return;
	}
	log_info("stopping");
	pickup_end(m);
	procs_stop_all(m);
}

/*
 * A certificate that cannot be used must not take the place of one that can. Who started without lives without, and may
 * reload for other reasons.
 */
static int take_certs(struct master *m, const struct setup *fresh, struct buf *errors)
{
	struct buf faults = BUF_INIT(65536);
	struct certs certs;
	bool worse;

	worse = certs_load(&certs, fresh->conf, &m->certs, &faults) != 0 || certs.n_faults > m->certs.n_faults;
	if (worse) {
		buf_add_str(errors, buf_str(&faults));
		certs_free(&certs);
	} else {
		certs_free(&m->certs);
		m->certs = certs;
		m->certs_refused = 0;
	}
	buf_free(&faults);
	return worse ? -1 : 0;
}

/* Everything of the new setup that can fail, before anything of the old one is touched. 0, or -1 with lines. */
static int prepare_reload(struct master *m, struct setup *fresh, struct buf *errors)
{
	const char *queue;

	if (setup_load(fresh, m->config_directory, m->root, errors) != 0)
		return -1;
	queue = conf_str(fresh->main, "queue_directory");
	if (strcmp(queue, m->queue_directory) != 0)
		buf_addf(errors, "queue_directory = %s: a running instance stays with %s; stop it and start it\n",
			queue, m->queue_directory);
	else if (setup_directories(fresh, m->root, errors) == 0 &&
		 listeners_open(&fresh->listeners, fresh->conf, fresh->n_smtpd, &m->setup.listeners, errors) == 0 &&
		 take_certs(m, fresh, errors) == 0)
		return 0;
	setup_free(fresh);
	return -1;
}

void master_reload(struct master *m, struct buf *errors)
{
	struct setup fresh;

	if (m->stopping) {
		buf_add_c(errors, "it is stopping\n");
		return;
	}
	if (prepare_reload(m, &fresh, errors) != 0) {
		print_lines(errors);
		log_error("reload: the configuration has faults; going on with the one before");
		return;
	}
	setup_free(&m->setup);
	m->setup = fresh;
	m->generation++;
	open_log(m);
	log_info("reload: configuration %s", m->config_directory);
	procs_retire(m);
	secrets_renew(m);
	procs_fill_all(m);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct master *m = handle->data;
	struct buf errors = BUF_INIT(65536);

	if (signum == SIGHUP)
		master_reload(m, &errors);
	else
		master_stop(m);
	buf_free(&errors);
}

static void watch_signals(struct master *m)
{
	static const int signums[] = { SIGTERM, SIGINT, SIGHUP };

	for (size_t i = 0; i < sizeof signums / sizeof *signums; i++) {
		uv_signal_init(m->loop, &m->signals[i]);
		m->signals[i].data = m;
		uv_signal_start(&m->signals[i], on_signal, signums[i]);
	}
	signal(SIGPIPE, SIG_IGN);
}

static void on_loop_turn(uv_check_t *handle)
{
	(void)handle;
	log_flush();
}

/* What is wrong has been said: the terminal of the person who started us is given back. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		return;
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(null);
}

static void parse_arguments(struct master *m, int argc, char **argv)
{
	static char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int option;

	while ((option = getopt(argc, argv, "c:f")) != -1) {
		if (option == 'c')
			m->config_directory = optarg;
		else if (option == 'f')
			m->foreground = true;
		else
			exit(2);
	}
	if (m->config_directory == NULL || n <= 0)
		fatal("master is started by `gatepost start`");
	*strrchr(self, '/') = '\0';
	m->program_directory = self;
}

static void prepare(struct master *m)
{
	struct buf errors = BUF_INIT(65536);

	if (setup_load(&m->setup, m->config_directory, m->root, &errors) != 0 ||
		setup_directories(&m->setup, m->root, &errors) != 0 ||
		listeners_open(&m->setup.listeners, m->setup.conf, m->setup.n_smtpd, NULL, &errors) != 0) {
		print_lines(&errors);
		exit(1);
	}
	buf_reset(&errors);
	if (certs_load(&m->certs, m->setup.conf, NULL, &errors) != 0) {
		print_lines(&errors);
		exit(1);
	}
	/* What else is wrong smtpd says. */
	buf_free(&errors);
	m->queue_directory = xstrdup(conf_str(m->setup.main, "queue_directory"));
	lock_pid_file(m);
	open_log(m);
	if (!m->foreground)
		leave_terminal();
	random_octets(m->seed, sizeof m->seed);
	m->counts = counts_new(&m->counts_fd);
	if (m->counts == NULL)
		log_warn("no shared memory for the limits of clients: each smtpd counts for itself: %s",
			strerror(errno));
	counts_file_load(m);
}

int main(int argc, char **argv)
{
	static struct master m;
	uv_check_t flush;
	char path[4096];

	parse_arguments(&m, argc, argv);
	umask(022);
	m.root = geteuid() == 0;
	m.loop = uv_default_loop();
	raise_descriptor_limit();
	prepare(&m);
	uv_timer_init(m.loop, &m.restart_timer);
	uv_timer_init(m.loop, &m.stop_timer);
	uv_check_init(m.loop, &flush);
	uv_check_start(&flush, on_loop_turn);
	uv_unref((uv_handle_t *)&flush);
	snprintf(path, sizeof path, "%s/public/control", m.queue_directory);
	m.control = control_open(&m, path);
	watch_signals(&m);
	log_info("daemon started -- version %s, configuration %s", GATEPOST_VERSION, m.config_directory);
	if (!m.root)
		log_info("running as an ordinary user: no chroot, no change of uid");
	secrets_begin(&m);
	procs_fill(&m);
	certs_watch(&m);
	pickup_begin(&m);
	counts_file_begin(&m);
	uv_run(m.loop, UV_RUN_DEFAULT);
	control_close(&m.control);
	counts_file_leave(&m);
	log_info("stopped");
	log_flush();
	return 0;
}
