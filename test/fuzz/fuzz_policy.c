/*
 * What a policy service may say to smtpd: the input is its octets, cut by octet 0. Oracle: a question ends once, with an
 * action or with a reason, never with both or none.
 */
#include "smtpd/policy.h"
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned ends;

static void on_answer(struct policy_request *r)
{
	ends++;
	require((r->action.n > 0) == (r->why == NULL));
	require(buf_str(&r->action).n == 0 || str_chr(buf_str(&r->action), '\n') < 0);
}

static int listen_here(char *path, size_t n)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(path, n, "/tmp/fuzz_policy.%d", (int)getpid());
	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	unlink(path);
	require(fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof un) == 0 && listen(fd, 8) == 0);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uv_loop_t loop;
	static char path[64], endpoint[80];
	static int listener = -1;
	struct policy_request r = { .on_answer = on_answer };
	struct str in = str_from(str_pn(data, size), 1);
	size_t step = size > 0 && data[0] ? data[0] : 4000;
	int fd;

	if (listener < 0) {
		log_open(LOG_TO_FD, "fuzz", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
		listener = listen_here(path, sizeof path);
		snprintf(endpoint, sizeof endpoint, "unix:%s", path);
		uv_loop_init(&loop);
	}
	ends = 0;
	policy_ask(&r, &loop, str_c(endpoint), STR("request=x\n\n"), 50);
	for (int i = 0; i < 3; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	/* A connection that was kept from the input before is another: hang up, and it is asked anew. */
	fd = accept(listener, NULL, NULL);
	for (; fd >= 0 && in.n > 0 && ends == 0; in = str_from(in, step < in.n ? step : in.n)) {
		struct str piece = str_sub(in, 0, step);

		if (send(fd, piece.p, piece.n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	if (fd >= 0)
		close(fd);
	for (int i = 0; i < 100 && ends == 0; i++) {
		int other = accept(listener, NULL, NULL);

		if (other >= 0)
			close(other);
		uv_run(&loop, UV_RUN_ONCE);
	}
	require(ends == 1);
	policy_end(&r);
	for (int i = 0; i < 4; i++) /* the idle one sees that we hung up */
		uv_run(&loop, UV_RUN_NOWAIT);
	return 0;
}
