/*
 * An smtpd that was taken over asks keyd, or a keyd answers smtpd. Octet 0 picks: the text of a handshake under a scheme (octet
 * 1), a question, an answer, a store of keys. Oracles: what is understood is the same when it is sent on; what is signed is of
 * one of the two shapes; nothing that was not asked for properly is signed.
 */
#include "base/log.h"
#include "keyd/keyd.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const uint16_t numbers[] = { 0x0401, 0x0601, 0x0804, 0x0809, 0x0403, 0x0503, 0x0807, 0x0808 };

static void text(struct str in, uint8_t which)
{
	const struct signature_scheme *s = signature_scheme_find(numbers[which % (sizeof numbers / sizeof *numbers)]);
	bool new = in.n >= 98 && memcmp(in.p + 64, "TLS 1.3, server CertificateVerify", 34) == 0;

	require(s != NULL);
	if (!handshake_is_tls(s, in))
		return;
	require(in.n > 64 && in.n <= KEY_SIGNED_MAX);
	require(new ? !s->is_old && (in.n == 130 || in.n == 146) : in.p[64] <= 4);
	/* An octet more is never another handshake: nothing is left over. */
	{
		char longer[KEY_SIGNED_MAX + 1];

		memcpy(longer, in.p, in.n);
		longer[in.n] = 0;
		require(!handshake_is_tls(s, str_pn(longer, in.n + 1)));
	}
}

static void question(struct str payload)
{
	struct ipc_in in = { payload, false };
	struct buf again = IPC_BUF;
	struct keys none = { .n = 0 };
	char room[KEY_SIGNATURE_MAX];
	struct key_question q;
	struct key_answer a;

	if (key_question_decode(&in, &q) == 0) {
		key_question_encode(&again, &q);
		require(str_eq(buf_str(&again), payload));
		keys_answer(&none, &q, room, &a);
		require(a.status != KEY_SIGNED && a.request == q.request);
	}
	buf_free(&again);
}

static void answer(struct str payload)
{
	struct ipc_in in = { payload, false };
	struct buf again = IPC_BUF;
	struct key_answer a;

	if (key_answer_decode(&in, &a) == 0) {
		require(a.signature.n <= KEY_SIGNATURE_MAX);
		key_answer_encode(&again, &a);
		require(str_eq(buf_str(&again), payload));
	}
	buf_free(&again);
}

static void store(struct str in)
{
	struct buf error = BUF_INIT(4096);
	struct keys k = { .n = 0 };

	if (keys_add(&k, in, &error) == 0) {
		keys_seal(&k);
		require(k.n > 0 || in.n == 0);
	} else {
		require(error.n > 0);
	}
	keys_free(&k);
	buf_free(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 2 || n > KEY_SIGNED_MAX)
		return 0;
	switch (p[0] % 4) {
	case 0:
		text(str_pn(p + 2, n - 2), p[1]);
		break;
	case 1:
		question(str_pn(p + 1, n - 1));
		break;
	case 2:
		answer(str_pn(p + 1, n - 1));
		break;
	default:
		store(str_pn(p + 1, n - 1));
		break;
	}
	return 0;
}
