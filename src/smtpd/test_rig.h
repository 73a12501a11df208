/*
 * test_rig.h - for tests: the sessions of smtpd in this process, over socket pairs, into a segment in memory. No
 * master, no queued, no mapd: tables are inline, there is no authentication service and no DNS.
 */
#ifndef SMTPD_TEST_RIG_H
#define SMTPD_TEST_RIG_H

#include "log/record.h"
#include "smtpd/smtpd.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RIG_SEGMENT_OCTETS = 64 * 1024 * 1024, RIG_TURNS = 200 };

static inline void rig_lend(void)
{
	static uint64_t generation = 1;
	struct segment_head h = { .generation = generation, .size = RIG_SEGMENT_OCTETS, .class = SEG_MAIL, .salt = 1 };
	int fd = memfd_create("segment", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, RIG_SEGMENT_OCTETS) != 0 || segment_head_write(fd, &h) != 0)
		panic("rig: no segment");
	spool_writer_lend(smtpd.writer, generation++, RIG_SEGMENT_OCTETS, fd);
}

/* Once per process. `text` is added to main.cf; each `option` is an own service, "name=value" or "", that overrides it. */
static inline void rig_open(const char *text, const char *const *option, size_t n_option)
{
	static const char base[] =
		"myhostname = mx.example\nmyorigin = example.com\nmydestination =\n"
		"inet_interfaces = loopback-only\n"
		"virtual_mailbox_domains = example.com\n"
		"virtual_mailbox_maps = inline:{ user@example.com=u, other@example.com=o }\n"
		"smtpd_vrfy_name_maps = inline:{ user@example.com=User }\n"
		"mynetworks = 10.0.0.0/8\nsmtpd_peername_lookup = no\nsmtpd_banner = mx.example ESMTP\n"
		"smtpd_error_sleep_time = 0\nsmtpd_forbid_unauth_pipelining = no\n"
		"smtpd_hard_error_limit = 1000\nsmtpd_forbid_bare_newline_exclusions =\n";
	struct buf main_cf = BUF_INIT(65536), master_cf = BUF_INIT(65536), errors = BUF_INIT(65536);
	struct child *c = &smtpd.child;
	const struct conf_service *row;

	buf_addf(&main_cf, "%s%s", base, text);
	for (size_t i = 0; i < n_option; i++) {
		buf_addf(&master_cf, "%zu inet n - n - - smtpd\n", 2600 + i);
		if (*option[i])
			buf_addf(&master_cf, "  -o { %s }\n", option[i]);
	}
	buf_add_c(&master_cf, "shut unix - - n - - error\n");
	c->conf = conf_parse("/nonexistent", buf_str(&main_cf), buf_str(&master_cf), &errors, NULL);
	if (c->conf == NULL)
		panic("rig: %s", errors.p);
	c->loop = uv_default_loop();
	c->main = conf_main(c->conf);
	c->queue_directory = "/nonexistent";
	conf_services(c->conf, &row);
	c->n_listener = n_option;
	c->listener = xcalloc(n_option, sizeof *c->listener);
	for (size_t i = 0; i < n_option; i++)
		c->listener[i].service = &row[i];
	smtpd.scratch = BUF_INIT(4 * READ_OCTETS + 64);
	smtpd.map = map_client_new(c->loop, c->conf);
	smtpd.counts = counts_open(-1, COUNTS_NO_TABLE);
	services_open();
	writer_open();
	rig_lend();
	buf_free(&main_cf);
	buf_free(&master_cf);
	buf_free(&errors);
}

/* A client from that address; its end of the connection, nonblocking. */
static inline int rig_connect(const struct service *service, const char *address)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int pair[2], size = 4 * 1024 * 1024;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		panic("rig: no sockets");
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	inet_pton(AF_INET, address, &a.sin_addr);
	session_new(service, pair[0], (struct sockaddr *)&a);
	return pair[1];
}

/* Let the server work; what it says is added to out. */
static inline void rig_run(int fd, struct buf *out)
{
	char text[4096];
	ssize_t n;

	for (int quiet = 0; quiet < 3; quiet++) {
		uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
		while ((n = recv(fd, text, sizeof text, 0)) > 0) {
			buf_add(out, text, (size_t)n);
			quiet = 0;
		}
		if (smtpd.sessions && smtpd.sessions->question)
			quiet = quiet > 0 && quiet < RIG_TURNS ? quiet - 1 : 0;
	}
	if (!spool_writer_is_ready(smtpd.writer))
		rig_lend();
}

/* The client hangs up; the session must be gone then. */
static inline void rig_close(int fd)
{
	close(fd);
	for (int i = 0; i < RIG_TURNS && smtpd.n_sessions; i++)
		uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
	uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
}

#endif
