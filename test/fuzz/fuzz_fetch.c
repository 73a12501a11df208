/*
 * What authd and fetchd say to each other once one of them was taken over, and the URLs of a configuration: octet 0 picks
 * which. Oracles: what is understood is the same when it is sent on; a URL that is shown has no user and no query.
 */
#include "base/log.h"
#include "msg/fetch_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void setup(struct str payload, struct buf *again)
{
	struct ipc_in in = { payload, false };
	struct fetch_setup s;

	if (fetch_setup_decode(&in, &s) < 0)
		return;
	fetch_setup_encode(again, &s);
	require(str_eq(buf_str(again), payload));
}

static void ask(struct str payload, struct buf *again)
{
	struct ipc_in in = { payload, false };
	struct fetch_ask a;

	if (fetch_ask_decode(&in, &a) < 0)
		return;
	fetch_ask_encode(again, &a);
	require(str_eq(buf_str(again), payload));
	require(str_chr(a.header, '\r') < 0 && str_chr(a.header, '\0') < 0 && str_chr(a.suffix, '\n') < 0);
}

static void answer(struct str payload, struct buf *again)
{
	struct ipc_in in = { payload, false };
	struct fetch_answer a;

	if (fetch_answer_decode(&in, &a) < 0)
		return;
	fetch_answer_encode(again, &a);
	require(str_eq(buf_str(again), payload));
	require(a.why.n || (a.status >= 100 && a.status < 600));
}

static void url(struct str text, struct buf *shown)
{
	struct fetch_url u;
	const char *why = NULL;

	if (fetch_url_parse(text, &u, &why) < 0) {
		require(why != NULL);
		return;
	}
	require(u.host.n && u.port);
	fetch_url_show(shown, &u);
	require(str_chr(buf_str(shown), '?') < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const run[])(struct str, struct buf *) = { setup, ask, answer, url };
	struct buf b = IPC_BUF;

	if (n > 0 && n < IPC_MAX_OCTETS)
		run[p[0] % 4](str_from(str_pn(p, n), 1), &b);
	buf_free(&b);
	return 0;
}
