/*
 * An smtpd whose queued or mapd was taken over: what they may send on their channels, while a session waits for them. The
 * input is messages: octet 0 says from whom (bit 0), with a descriptor or not (bit 1) and how many octets of payload follow
 * (the rest), octet 1 is the type. Oracle: the process lives, and every answer of the session is an SMTP reply.
 */
#include "msg/map_msg.h"
#include "msg/queue_msg.h"
#include "smtpd/test_rig.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int channel(enum role role)
{
	int pair[2];

	require(ipc_pair(pair) == 0);
	peer_open(&smtpd.child, role, 0, pair[0]);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	return pair[1];
}

static void drain(int fd)
{
	char octets[65536];

	while (recv(fd, octets, sizeof octets, MSG_DONTWAIT) > 0)
		;
}

static void check_replies(struct str said)
{
	struct str line;

	while (str_field(&said, "\n", &line) && (line.n > 0 || said.p))
		require(line.n >= 5 && line.n <= 512 && line.p[line.n - 1] == '\r' && line.p[0] >= '2' &&
			line.p[0] <= '5');
}

static void send_messages(struct str in, const int *peer)
{
	while (in.n >= 2) {
		uint8_t head = (uint8_t)in.p[0], type = (uint8_t)in.p[1];
		struct str payload = str_sub(in, 2, 2 + (head >> 2) < in.n ? (size_t)(head >> 2) : in.n - 2);
		int fd = head & 2 ? memfd_create("x", MFD_CLOEXEC) : -1;

		ipc_write_now(peer[head & 1], type, payload, &fd, fd >= 0);
		if (fd >= 0)
			close(fd);
		in = str_from(in, 2 + payload.n);
		uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
	}
}

/* Both are started anew: queued says nothing, mapd is asked again and cannot say. */
static void start_anew(int *peer)
{
	const struct map_answer cannot = { .status = MAP_TEMPORARY, .class = CLASS_DEFAULT, .why = STR("gone") };
	char question[4096];

	for (int i = 0; i < 2; i++)
		close(peer[i]);
	peer[0] = channel(ROLE_QUEUED);
	peer[1] = channel(ROLE_MAPD);
	for (int i = 0; i < 30; i++) {
		ssize_t got;

		uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
		while ((got = recv(peer[1], question, sizeof question, MSG_DONTWAIT)) >= 6) {
			struct ipc_in in = { str_pn(question + 2, (size_t)got - 2), false };
			struct buf out = IPC_BUF;

			map_answer_encode(&out, ipc_get_u32(&in), &cannot);
			ipc_write_now(peer[1], MSG_MAP_ANSWER, buf_str(&out), NULL, 0);
			buf_free(&out);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const option[] = { "" };
	static const char dialogue[] =
		"EHLO c\r\nETRN example.com\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<user@example.com>\r\n"
		"DATA\r\nx\r\n.\r\n";
	static bool is_open;
	static int master; /* takes what smtpd complains of */
	struct buf said = BUF_INIT(1 << 20);
	char text[4096];
	int peer[2], client;
	ssize_t got;

	if (!is_open) {
		log_open(LOG_TO_FD, "fuzz", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
		rig_open("fast_flush_domains = example.com\nvirtual_alias_maps = hash:/nonexistent/a\n", option, 1);
		smtpd.child.n_listener = 0; /* none is open, which a lent segment would begin to watch */
		require(ipc_pair(peer) == 0);
		ipc_open(&smtpd.child.master, smtpd.child.loop, peer[0], NULL, 0, NULL);
		master = peer[1];
		is_open = true;
	}
	peer[0] = channel(ROLE_QUEUED);
	peer[1] = channel(ROLE_MAPD);
	client = rig_connect(&smtpd.service[0], "192.0.2.1");
	send(client, dialogue, sizeof dialogue - 1, MSG_NOSIGNAL);
	for (int i = 0; i < 5; i++)
		uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
	drain(peer[0]);
	drain(peer[1]);
	drain(master);
	send_messages(str_pn(p, n), peer);
	start_anew(peer);
	while ((got = recv(client, text, sizeof text, 0)) > 0)
		buf_add(&said, text, (size_t)got);
	check_replies(buf_str(&said));
	rig_close(client);
	require(smtpd.n_sessions == 0);
	for (int i = 0; i < 2; i++)
		close(peer[i]);
	uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
	if (!spool_writer_is_ready(smtpd.writer))
		rig_lend();
	buf_free(&said);
	return 0;
}
