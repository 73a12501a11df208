/* Every single bit of a record, and both headers of a segment, are put right; two wrong bits are left alone. */
#include "log/mend.h"
#include "base/test.h"

#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 64 * 1024 };
static const struct segment_head head = { 1795350123, SIZE, SEG_MAIL, 0x89ABCDEF };

static void test_each_bit(void **state)
{
	const size_t payloads[] = { 0, 1, 7, 8, 100, 3001 };

	(void)state;
	for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
		struct buf b = BUF_INIT(SIZE);
		char payload[4000];
		unsigned bad = 0;

		for (size_t k = 0; k < payloads[i]; k++)
			payload[k] = (char)(k * 31);
		record_put(&b, &head, RECORD_COMMIT, str_pn(payload, payloads[i]));
		for (unsigned bit = 0; bit < (RECORD_HEADER_OCTETS + payloads[i]) * 8; bit++) {
			unsigned char copy[5000] = { 0 };

			memcpy(copy, b.p, b.n);
			copy[bit / 8] ^= (unsigned char)(1u << (bit % 8));
			bad += record_mend(&head, copy, sizeof copy) != b.n || memcmp(copy, b.p, b.n) != 0;
			if (bit / 8 == 5 || bit / 8 == 9)
				continue;
			memcpy(copy, b.p, b.n);
			copy[bit / 8] ^= (unsigned char)(1u << (bit % 8));
			copy[5] ^= 1;
			copy[9] ^= 16;
			bad += record_mend(&head, copy, sizeof copy) != 0;
		}
		check_int(bad, 0);
		buf_free(&b);
	}
}

static void test_stale_record_is_none(void **state)
{
	struct segment_head before = { head.generation ^ 1, SIZE, SEG_MAIL, 77 };
	struct buf b = BUF_INIT(SIZE);

	(void)state;
	record_put(&b, &before, RECORD_DATA, STR("of an earlier use"));
	check_int(record_mend(&head, (unsigned char *)b.p, b.n), 0);
	buf_free(&b);
}

static void test_rebuild(void **state)
{
	struct segment_head h, before = { head.generation - 5, SIZE, SEG_RESULT, 77 };
	struct buf b = BUF_INIT(SIZE);
	int fd = memfd_create("seg", MFD_CLOEXEC);

	(void)state;
	check_int(ftruncate(fd, SIZE), 0);
	check_int(segment_head_rebuild(fd, SIZE, &h), 0);
	record_put(&b, &head, RECORD_DATA, STR("the content"));
	record_put(&b, &head, RECORD_COMMIT, STR("an envelope of some length"));
	for (int i = 0; i < 3; i++)
		record_put(&b, &before, RECORD_DONE, STR("from before"));
	check_int(pwrite_all(fd, b.p, b.n, SEG_HEADER_OCTETS, false), 0);
	check_int(segment_head_rebuild(fd, SIZE, &h), 1);
	check(h.generation == head.generation && h.salt == head.salt && h.class == SEG_MAIL && h.size == SIZE);
	h.class = SEG_SPARE;
	check_int(segment_head_write(fd, &h), 0);
	h.class = 0;
	check_int(segment_head_read(fd, &h), 1);
	check_int(h.class, SEG_SPARE);
	buf_free(&b);
	close(fd);
}

/* Content is anybody's: records that it was made to look like do not say whose generation the segment is. */
static void test_content_is_no_record(void **state)
{
	const struct segment_head forged = { head.generation + 1000000, SIZE, SEG_MAIL, 1 };
	struct segment_head h;
	struct buf b = BUF_INIT(SIZE), content = BUF_INIT(SIZE);

	(void)state;
	record_put(&content, &forged, RECORD_DATA, STR("mail"));
	record_put(&content, &forged, RECORD_COMMIT, STR("that nobody sent"));
	for (unsigned last_is_data = 0; last_is_data < 2; last_is_data++) {
		int fd = memfd_create("seg", MFD_CLOEXEC);

		check_int(ftruncate(fd, SIZE), 0);
		record_put(&b, &head, RECORD_DATA, buf_str(&content));
		record_put(&b, &head, RECORD_COMMIT, STR("an envelope of some length"));
		if (last_is_data)
			record_put(&b, &head, RECORD_DATA, buf_str(&content));
		check_int(pwrite_all(fd, b.p, b.n, SEG_HEADER_OCTETS, false), 0);
		check_int(segment_head_rebuild(fd, SIZE, &h), 1);
		check(h.generation == head.generation && h.salt == head.salt);
		buf_reset(&b);
		close(fd);
	}
	buf_free(&content);
	buf_free(&b);
}

/* The same where the record that has it is damaged itself: what stands in front counts, or else what there is most of. */
static void test_damaged_content_is_no_record(void **state)
{
	const struct segment_head forged = { head.generation + 1000000, SIZE, SEG_MAIL, 1 };
	struct segment_head h;
	struct buf b = BUF_INIT(SIZE), content = BUF_INIT(SIZE);

	(void)state;
	record_put(&content, &forged, RECORD_DATA, STR("mail"));
	record_put(&content, &forged, RECORD_COMMIT, STR("that nobody sent"));
	for (unsigned damaged_is_first = 0; damaged_is_first < 2; damaged_is_first++)
		for (size_t part = 0; part < 2; part++) { /* its length, its checksum */
			int fd = memfd_create("seg", MFD_CLOEXEC);
			size_t at;

			check_int(ftruncate(fd, SIZE), 0);
			if (!damaged_is_first) {
				record_put(&b, &head, RECORD_DATA, STR("mail"));
				record_put(&b, &head, RECORD_COMMIT, STR("an envelope of some length"));
			}
			at = b.n;
			record_put(&b, &head, RECORD_DATA, buf_str(&content));
			b.p[at + (part ? 4 : 20)] ^= 1;
			for (unsigned i = 0; i < 8; i++)
				record_put(&b, &head, RECORD_COMMIT, STR("an envelope of some length"));
			check_int(pwrite_all(fd, b.p, b.n, SEG_HEADER_OCTETS, false), 0);
			check_int(segment_head_rebuild(fd, SIZE, &h), 1);
			check(h.generation == head.generation && h.salt == head.salt);
			buf_reset(&b);
			close(fd);
		}
	buf_free(&content);
	buf_free(&b);
}

/* Many wrong bits of the checksum that look like one of the generation, which is known to be right: left alone. */
static void test_what_is_right_explains_nothing(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		struct buf b = BUF_INIT(4096), other = BUF_INIT(4096);
		struct segment_head h = head;
		char copy[4096];

		h.generation ^= UINT64_C(1) << bit;
		record_put(&b, &head, RECORD_COMMIT, STR("an envelope of some length"));
		record_put(&other, &h, RECORD_COMMIT, STR("an envelope of some length"));
		memcpy(b.p + 4, other.p + 4, 4); /* its checksum */
		memcpy(copy, b.p, b.n);
		check_int(record_mend(&head, (unsigned char *)b.p, b.n), 0);
		check(memcmp(b.p, copy, b.n) == 0);
		buf_free(&b);
		buf_free(&other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bit),
		cmocka_unit_test(test_stale_record_is_none),
		cmocka_unit_test(test_rebuild),
		cmocka_unit_test(test_content_is_no_record),
		cmocka_unit_test(test_damaged_content_is_no_record),
		cmocka_unit_test(test_what_is_right_explains_nothing),
	};

	return test_run(tests);
}
