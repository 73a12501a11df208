/* An envelope as it stands in a COMMIT or a job. What decodes must come out the same after encoding and decoding again. */
#include "base/log.h"
#include "log/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *mem = arena_new(0);
	struct buf first = BUF_INIT(1 << 24), second = BUF_INIT(1 << 24);
	struct envelope e, again;

	if (envelope_decode(str_pn(p, n), mem, &e) == 0) {
		envelope_encode(&first, &e);
		require(envelope_decode(buf_str(&first), mem, &again) == 0);
		envelope_encode(&second, &again);
		require(str_eq(buf_str(&first), buf_str(&second)));
		require(again.n_rcpt == e.n_rcpt && again.n_extent == e.n_extent && again.unknown.n == e.unknown.n);
	}
	buf_free(&first);
	buf_free(&second);
	arena_free(&mem);
	return 0;
}
