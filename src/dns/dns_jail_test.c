/*
 * libunbound, and the thread that it makes, in the jails of those that ask it: a question over UDP whose answer is cut off,
 * so that it is asked again over TCP. No call of it may be refused: in its thread that would end the process.
 */
#include "base/jail.h"
#include "base/log.h"
#include "base/test.h"
#include "dns/dns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in server_addr;

/* The question as an answer: cut off (UDP), or with 192.0.2.7 (TCP). Returns its octets. */
static size_t make_answer(unsigned char *q, size_t n, bool cut_off)
{
	static const unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 192, 0, 2, 7 };
	size_t end = 12;

	while (end < n && q[end] != 0)
		end += 1U + q[end];
	end += 5;
	q[2] = cut_off ? 0x83 : 0x81;
	q[3] = 0x80;
	memset(q + 6, 0, 6);
	if (cut_off || q[end - 3] != 1)
		return end;
	q[7] = 1;
	memcpy(q + end, record, sizeof record);
	return end + sizeof record;
}

static void answer_udp(int fd)
{
	unsigned char q[600];
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(fd, q, 512, 0, (struct sockaddr *)&from, &len);

	if (n > 12)
		sendto(fd, q, make_answer(q, (size_t)n, true), 0, (struct sockaddr *)&from, len);
}

static void answer_tcp(int listener)
{
	unsigned char q[600];
	int fd = accept(listener, NULL, NULL);
	ssize_t n;

	while ((n = recv(fd, q, 514, 0)) > 14) {
		size_t answer = make_answer(q + 2, (size_t)n - 2, false);

		q[0] = (unsigned char)(answer >> 8);
		q[1] = (unsigned char)answer;
		send(fd, q, answer + 2, MSG_NOSIGNAL);
	}
	close(fd);
}

_Noreturn static void be_server(int udp, int tcp)
{
	struct pollfd p[2] = { { .fd = udp, .events = POLLIN }, { .fd = tcp, .events = POLLIN } };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (poll(p, 2, -1) >= 0) {
		if (p[0].revents)
			answer_udp(udp);
		if (p[1].revents)
			answer_tcp(tcp);
	}
	_exit(0);
}

static pid_t start_server(void)
{
	socklen_t len = sizeof server_addr;
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	server_addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	require(bind(tcp, (struct sockaddr *)&server_addr, len) == 0 && listen(tcp, 8) == 0);
	require(getsockname(tcp, (struct sockaddr *)&server_addr, &len) == 0);
	require(bind(udp, (struct sockaddr *)&server_addr, len) == 0);
	pid = fork();
	if (pid == 0)
		be_server(udp, tcp);
	close(udp);
	close(tcp);
	return pid;
}

static bool answered;

static void on_answer(struct dns_query *q)
{
	(void)q;
	answered = true;
}

/* The handles of dns.c do not keep a loop alive. */
static void on_tick(uv_timer_t *t)
{
	(void)t;
}

/* 0: found over TCP, and no call was refused. */
static int ask_in_jail(enum jail_role role, int log)
{
	const uint16_t ports[] = { ntohs(server_addr.sin_port), 0 };
	struct dns_query q = { .on_answer = on_answer };
	uv_loop_t *loop = uv_default_loop();
	char server[40], said[4096] = "";
	struct dns *dns;
	uv_timer_t tick;
	bool found;

	log_open(LOG_TO_FD, "test", log, 0);
	snprintf(server, sizeof server, "127.0.0.1@%u", ports[0]);
	dns = dns_new_at(loop, 20, server, "/nonexistent");
	jail_enter(&(struct jail){ .role = role, .connect_ports = ports });
	dns_ask_addr(dns, &q, STR("mx.example.org"), true, false);
	uv_timer_init(loop, &tick);
	uv_timer_start(&tick, on_tick, 100, 100);
	while (!answered)
		uv_run(loop, UV_RUN_ONCE);
	found = q.status == DNS_OK && q.n_addr == 1 &&
		((struct sockaddr_in *)(void *)&q.addr[0].addr)->sin_addr.s_addr == inet_addr("192.0.2.7");
	dns_done(&q);
	dns_free(&dns);
	jail_tell();
	log_flush();
	if (pread(log, said, sizeof said - 1, 0) > 0)
		printf("%s", said);
	fflush(stdout);
	return (found ? 0 : 1) + (strstr(said, "jail does not allow") ? 2 : 0);
}

static void test_libunbound_in_the_jail(void **state)
{
	static const enum jail_role roles[] = { JAIL_SMTPD, JAIL_RELAY };
	pid_t server = start_server();

	(void)state;
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		int log = memfd_create("log", MFD_CLOEXEC), status = 0;
		pid_t pid = fork();

		if (pid == 0)
			_exit(ask_in_jail(roles[i], log));
		waitpid(pid, &status, 0);
		check_int(status, 0);
		close(log);
	}
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_libunbound_in_the_jail) };

	return test_run(tests);
}
