/*
 * What an authentication service offers: of authd, who reads its configuration and tells (`authd -t`); of a running one, who is
 * asked by a process that has smtpd's rights. Both answer in lines, with TABs between their fields.
 */
#include "auth/auth_proto.h"
#include "base/log.h"
#include "ctl/below_queue.h"
#include "ctl/check.h"
#include "ctl/gatepost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ASK_MS = 3000, ASK_TURN_MS = 20, TEXT_MAX = 1024 * 1024 };

void auth_offers_free(struct auth_offers *o)
{
	arena_free(&o->mem);
	buf_free(&o->faults);
	buf_free(&o->warnings);
}

static void begin(struct auth_offers *o)
{
	*o = (struct auth_offers){
		.mem = arena_new(4096), .faults = BUF_INIT(TEXT_MAX), .warnings = BUF_INIT(TEXT_MAX)
	};
}

static void take_mechanism(struct auth_offers *o, struct str line)
{
	struct str name, flag;
	struct auth_mech *m;

	if (o->n_mech == OFFERS_MAX || !auth_field(&line, &name))
		return;
	m = &o->mech[o->n_mech++];
	m->name = arena_dup(o->mem, name);
	while (auth_field(&line, &flag))
		m->flags |= auth_flag(flag);
}

static void take_line(struct auth_offers *o, struct str line)
{
	struct str word;

	if (!auth_field(&line, &word))
		return;
	if (str_eq(word, STR("mechanism")))
		take_mechanism(o, line);
	else if (str_eq(word, STR("listener")) && o->n_listener < OFFERS_MAX)
		o->listener[o->n_listener++] = arena_dup(o->mem, line);
	else if (str_eq(word, STR("userdb")) && o->n_userdb < OFFERS_MAX)
		o->userdb[o->n_userdb++] = arena_dup(o->mem, line);
	else if (str_eq(word, STR("fault")))
		buf_addf(&o->faults, "%.*s\n", STR_ARG(line));
	else if (str_eq(word, STR("warning")))
		buf_addf(&o->warnings, "%.*s\n", STR_ARG(line));
}

/* All that the child says; it has ended then. */
static void take_all(struct auth_offers *o, int fd, pid_t pid)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct str rest, line;
	char piece[4096];
	ssize_t n;
	int status = 0;

	while ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_add(&text, piece, (size_t)n);
	close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	rest = buf_str(&text);
	while (str_word(&rest, "\n", &line))
		take_line(o, line);
	if (text.n == 0)
		buf_addf(&o->faults, "the authentication service could not be looked at (status %d)\n", status);
	buf_free(&text);
}

/* A child whose standard output is *fd here. 0 in the child. */
static pid_t fork_with_pipe(int *fd)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		panic("no pipe: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		panic("no process: %s", strerror(errno));
	if (pid == 0)
		dup2(ends[1], STDOUT_FILENO);
	close(ends[1]);
	*fd = ends[0];
	return pid;
}

void auth_offers_read(struct auth_offers *o, const struct conf_view *v)
{
	const char *directory = ctl_daemon_directory();
	char program[8192];
	pid_t pid;
	int fd;

	begin(o);
	snprintf(program, sizeof program, "%s/authd", directory ? directory : ctl_program_directory());
	pid = fork_with_pipe(&fd);
	if (pid == 0) {
		execl(program, "authd", "-t", conf_str(v, "auth_conf_file"), conf_str(v, "queue_directory"),
			conf_str(v, "auth_owner"), conf_str(v, "mail_owner"), (char *)NULL);
		printf("fault\t%s: %s\n", program, strerror(errno));
		fflush(stdout);
		_exit(1);
	}
	take_all(o, fd, pid);
}

/* ---- asking a service that runs ---- */

struct str sasl_path_below_queue(const struct conf_view *v)
{
	struct str path = str_c(conf_str(v, "smtpd_sasl_path"));

	return below_queue(v, str_has_prefix(path, STR("unix:")) ? str_from(path, 5) : path);
}

struct asking {
	struct auth_client *client;
	uv_timer_t timer;
	unsigned turns;
};

static void print_answer(const struct auth_client *client)
{
	struct buf fault = BUF_INIT(4096);
	const struct auth_mech *mech;
	size_t n = auth_client_mechs(client, &mech);

	if (auth_client_fault(client, &fault))
		printf("fault\t%s\n", fault.p);
	else if (!auth_client_is_up(client))
		printf("fault\tthe authentication service does not answer within %d seconds; is smtpd_sasl_path an "
		       "authentication socket of Dovecot's protocol?\n",
			ASK_MS / 1000);
	else
		puts("up");
	for (size_t i = 0; auth_client_is_up(client) && i < n; i++) {
		struct buf flags = BUF_INIT(1024);

		auth_add_flags(&flags, mech[i].flags);
		printf("mechanism\t%.*s%s\n", STR_ARG(mech[i].name), flags.n ? flags.p : "");
		buf_free(&flags);
	}
	buf_free(&fault);
}

static void on_turn(uv_timer_t *timer)
{
	struct asking *a = container_of(timer, struct asking, timer);
	struct buf fault = BUF_INIT(4096);

	if (auth_client_is_up(a->client) || auth_client_fault(a->client, &fault) ||
		++a->turns >= ASK_MS / ASK_TURN_MS) {
		print_answer(a->client);
		uv_stop(timer->loop);
	}
	buf_free(&fault);
}

static void ask(const struct conf_view *v)
{
	struct asking a = { .turns = 0 };
	const char *path = sasl_path_below_queue(v).p;
	uv_loop_t loop;

	if (*path == '/' && geteuid() == 0) { /* smtpd has a chroot then */
		printf("fault\tsmtpd_sasl_path = %s is not below queue_directory = %s, which is all that smtpd sees of "
		       "the "
		       "file system; let the service listen at %s/private/auth, and set smtpd_sasl_path = "
		       "private/auth\n",
			conf_str(v, "smtpd_sasl_path"), conf_str(v, "queue_directory"), conf_str(v, "queue_directory"));
		return;
	}
	if (below_queue_enter(v, "mail_owner") != 0) {
		printf("fault\tsmtpd_sasl_path = %s cannot be looked for: queue_directory = %s: %s\n",
			conf_str(v, "smtpd_sasl_path"), conf_str(v, "queue_directory"), strerror(errno));
		return;
	}
	uv_loop_init(&loop);
	a.client = auth_client_new(&loop, path, ASK_MS / 1000);
	uv_timer_init(&loop, &a.timer);
	uv_timer_start(&a.timer, on_turn, 0, ASK_TURN_MS);
	uv_run(&loop, UV_RUN_DEFAULT);
}

void auth_offers_ask(struct auth_offers *o, const struct conf_view *v)
{
	pid_t pid;
	int fd;

	begin(o);
	pid = fork_with_pipe(&fd);
	if (pid == 0) {
		log_open(LOG_TO_FD, "gatepost", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
		ask(v);
		fflush(stdout);
		_exit(0);
	}
	take_all(o, fd, pid);
}
