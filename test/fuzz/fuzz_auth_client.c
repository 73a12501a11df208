/*
 * What an authentication service may say to our client: the input is the service's octets. Oracle: every request ends
 * once, and never with OK unless the input names a user.
 */
#include "auth/auth_client.h"
#include "base/arena.h"
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct probe {
	struct auth_request request;
	unsigned ends;
	bool is_ok;
};
static struct probe probes[3];
static unsigned ended;

static void on_end(struct auth_request *r, enum auth_outcome outcome, struct str user, struct str reason)
{
	struct probe *p = container_of(r, struct probe, request);

	(void)reason;
	require(++p->ends == 1);
	require(outcome != AUTH_OK || user.n > 0);
	p->is_ok = outcome == AUTH_OK;
	ended++;
}

static void on_challenge(struct auth_request *r, struct str challenge)
{
	(void)challenge;
	auth_continue(r, STR("YQ=="));
}

static int on_binding(struct auth_request *r, struct str type, struct buf *out)
{
	(void)r;
	return buf_add_str(out, type);
}

static int listen_here(struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(un->sun_path, sizeof un->sun_path, "/tmp/fuzz_auth_client.%d", (int)getpid());
	unlink(un->sun_path);
	require(fd >= 0 && bind(fd, (struct sockaddr *)un, sizeof *un) == 0 && listen(fd, 8) == 0);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sockaddr_un un;
	static int listener = -1;
	struct auth_client *c;
	uv_loop_t loop;
	int fd;

	if (listener < 0) {
		int null = open("/dev/null", 1);

		log_open(LOG_TO_FD, "fuzz", null, 0);
		listener = listen_here(&un);
	}
	ended = 0;
	uv_loop_init(&loop);
	c = auth_client_new(&loop, un.sun_path, 1);
	fd = accept(listener, NULL, NULL);
	require(fd >= 0);
	for (size_t i = 0; i < 3; i++) {
		probes[i] = (struct probe){ .request = { .mech = STR("PLAIN"),
						    .service = STR("smtp"),
						    .on_end = on_end,
						    .on_challenge = on_challenge,
						    .on_binding = on_binding } };
		auth_start(c, &probes[i].request);
	}
	if (size <= 100000 && send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		shutdown(fd, SHUT_WR);
	/* The end of input ends the connection, and with it every request. */
	for (int i = 0; i < 200 && ended < 3; i++)
		uv_run(&loop, UV_RUN_ONCE);
	require(ended == 3);
	for (size_t i = 0; i < 3; i++)
		require(!probes[i].is_ok || memmem(data, size, "user=", 5) != NULL);
	auth_client_free(&c);
	close(fd);
	uv_run(&loop, UV_RUN_DEFAULT);
	require(uv_loop_close(&loop) == 0);
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		close(fd);
	return 0;
}
