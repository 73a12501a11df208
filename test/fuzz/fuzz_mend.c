/*
 * What `gatepost queue fsck` makes of damaged records: the input is a place that may hold one. Octet 0: a good record is
 * written first, and the rest of the input is laid over it (XOR). Oracle: what was mended reads as a whole record.
 */
#include "log/mend.h"
#include "base/log.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct segment_head head = { 7, 1 << 20, SEG_MAIL, 0x1234 };
	struct buf b = BUF_INIT(1 << 20);
	struct segment_head found = { 0 };
	size_t whole;
	int fd;

	if (n < 1 || n > 8192)
		return 0;
	if (p[0] & 1)
		record_put(&b, &head, RECORD_COMMIT, STR("a good record of ours"));
	while (b.n < n - 1 || b.n % 8)
		buf_add_char(&b, 0);
	for (size_t i = 0; i < n - 1; i++)
		b.p[i] = (char)(b.p[i] ^ (char)p[1 + i]);
	whole = record_mend(&head, (unsigned char *)b.p, b.n);
	require(whole <= b.n && whole % 8 == 0);
	if (whole > 0) /* a second look has nothing to do */
		require(record_mend(&head, (unsigned char *)b.p, b.n) == whole);
	fd = memfd_create("seg", MFD_CLOEXEC);
	require(fd >= 0 && pwrite_all(fd, b.p, b.n, SEG_HEADER_OCTETS, false) == 0);
	segment_head_rebuild(fd, SEG_HEADER_OCTETS + b.n, &found);
	close(fd);
	buf_free(&b);
	return 0;
}
