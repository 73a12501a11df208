/*
 * A segment whose octets behind the header are anything: the scan ends, stays inside, and what it returns is a record by
 * its checksum. The first octet of the input says how many good records stand before it and between its halves.
 */
#include "base/log.h"
#include "log/envelope.h"
#include "log/record.h"

#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 16 * 1024 };

static void put_good(struct buf *b, const struct segment_head *h, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		record_put(b, h, i % 2 ? RECORD_COMMIT : RECORD_DATA, STR("good record"));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct segment_head head = { 7, SIZE, SEG_MAIL, 0 };
	struct buf b = BUF_INIT(SIZE);
	struct log_scan s;
	struct record r;
	unsigned good, got = 0;
	uint64_t last = SEG_HEADER_OCTETS;
	int fd;

	if (n < 1 || n > SIZE / 4)
		return 0;
	good = p[0] % 4;
	fd = memfd_create("seg", MFD_CLOEXEC);
	require(fd >= 0 && ftruncate(fd, SIZE) == 0);
	put_good(&b, &head, good);
	buf_add(&b, p + 1, (n - 1) / 2);
	while (b.n % 8)
		buf_add_char(&b, 0);
	put_good(&b, &head, good);
	buf_add(&b, p + 1 + (n - 1) / 2, n - 1 - (n - 1) / 2);
	require(pwrite_all(fd, b.p, b.n, SEG_HEADER_OCTETS, false) == 0);
	log_scan_begin(&s, fd, &head);
	while (log_scan_next(&s, SIZE, &r) == 1) {
		require(r.offset >= last && r.offset % 8 == 0 && s.offset <= SIZE);
		last = s.offset;
		got += str_eq(r.payload, STR("good record"));
		if (r.type == RECORD_COMMIT) {
			struct arena *mem = arena_new(0);
			struct envelope e;

			(void)envelope_decode(r.payload, mem, &e);
			arena_free(&mem);
		}
	}
	require(got >= good); /* those in front are never missed */
	log_scan_rest(&s);
	buf_free(&b);
	close(fd);
	return 0;
}
