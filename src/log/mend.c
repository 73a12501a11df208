#include "log/mend.h"
#include "base/arena.h"
#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>

enum { AT_CRC = 4, AT_GENERATION = 8, AT_LENGTH = 16, AT_TYPE = 20, LENGTH_BITS = 32 };
static const unsigned char magic[4] = { 'G', 'P', 'R', 'D' };

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const unsigned char *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static void flip(unsigned char *p, unsigned bit)
{
	p[bit / 8] ^= (unsigned char)(1u << (bit % 8));
}

static unsigned bits_that_differ(const unsigned char *a, const unsigned char *b, size_t n)
{
	unsigned bits = 0;

	for (size_t i = 0; i < n; i++)
		bits += (unsigned)__builtin_popcount(a[i] ^ b[i]);
	return bits;
}

/* What the checksum is off by; `n` octets of payload must be there. 0: the record is good. */
static uint32_t syndrome(const struct segment_head *h, const unsigned char *p, size_t n)
{
	return get32(p + AT_CRC) ^ crc32c(crc32c(h->salt, p + AT_GENERATION, RECORD_HEADER_OCTETS - AT_GENERATION),
					   p + RECORD_HEADER_OCTETS, n);
}

/* A checksum is linear: how a difference goes on through one octet. */
static uint32_t through_octet(uint32_t difference)
{
	return crc32c(difference, "", 1) ^ crc32c(0, "", 1);
}

/*
 * The bit behind the length (type, flags, payload) that explains the difference, or a bit of the checksum. False: none. A bit
 * of generation or length is no explanation: these are known to be right, so that more than one bit is wrong.
 */
static bool flip_what_explains(unsigned char *p, size_t n, uint32_t off)
{
	uint32_t one[8];

	if ((off & (off - 1)) == 0) {
		flip(p + AT_CRC, (unsigned)__builtin_ctz(off));
		return true;
	}
	for (unsigned k = 0; k < 8; k++) {
		unsigned char octet = (unsigned char)(1u << k);

		one[k] = crc32c(0, &octet, 1) ^ crc32c(0, "", 1);
	}
	for (size_t at = RECORD_HEADER_OCTETS + n; at > AT_TYPE; at--) {
		for (unsigned k = 0; k < 8; k++) {
			if (one[k] == off) {
				flip(p + at - 1, k);
				return true;
			}
			one[k] = through_octet(one[k]);
		}
	}
	return false;
}

static size_t fits(uint32_t n, size_t room)
{
	return n <= RECORD_MAX_OCTETS && record_octets(n) <= room ? record_octets(n) : 0;
}

size_t record_mend(const struct segment_head *h, unsigned char *p, size_t room)
{
	unsigned char generation[8];
	unsigned wrong;
	uint32_t n, off;

	if (room < RECORD_HEADER_OCTETS)
		return 0;
	for (unsigned i = 0; i < 8; i++)
		generation[i] = (unsigned char)(h->generation >> (8 * i));
	wrong = bits_that_differ(p, magic, sizeof magic) + bits_that_differ(p + AT_GENERATION, generation, 8);
	n = get32(p + AT_LENGTH);
	if (wrong > 1)
		return 0;
	memcpy(p, magic, sizeof magic);
	memcpy(p + AT_GENERATION, generation, 8);
	off = fits(n, room) ? syndrome(h, p, n) : 1;
	if (fits(n, room) && off == 0)
		return record_octets(n);
	for (unsigned bit = 0; wrong == 0 && bit < LENGTH_BITS; bit++) {
		uint32_t m = n ^ 1u << bit;

		if (fits(m, room) == 0)
			continue;
		flip(p + AT_LENGTH, bit);
		if (syndrome(h, p, m) == 0)
			return record_octets(m);
		flip(p + AT_LENGTH, bit);
	}
	if (wrong == 0 && fits(n, room) && flip_what_explains(p, n, off))
		return record_octets(n);
	return 0;
}

/* The salt with which this record has its checksum: the checksum is run backwards. */
static uint32_t salt_of(const unsigned char *p, size_t n)
{
	uint32_t forward[256], back = syndrome(&(struct segment_head){ .salt = 0 }, p, n);
	unsigned char by_top[256];

	for (unsigned i = 0; i < 256; i++) {
		forward[i] = through_octet(i);
		by_top[forward[i] >> 24] = (unsigned char)i;
	}
	for (size_t i = 0; i < RECORD_HEADER_OCTETS - AT_GENERATION + n; i++) {
		unsigned octet = by_top[back >> 24];

		back = (back ^ forward[octet]) << 8 | octet;
	}
	return back;
}

static uint32_t class_of(const unsigned char *p)
{
	uint32_t type = get32(p + AT_TYPE);

	return type == RECORD_DATA || type == RECORD_COMMIT ? (uint32_t)SEG_MAIL : (uint32_t)SEG_RESULT;
}

/* Are there, at p and behind it, two records of one generation with one salt? */
static bool two_agree(const unsigned char *p, size_t room, struct segment_head *h)
{
	uint32_t n = get32(p + AT_LENGTH);
	size_t all = fits(n, room);
	const unsigned char *second = p + all;
	uint32_t m;

	if (all == 0 || room - all < RECORD_HEADER_OCTETS || memcmp(second, magic, sizeof magic) != 0 ||
		get64(second + AT_GENERATION) != get64(p + AT_GENERATION))
		return false;
	m = get32(second + AT_LENGTH);
	h->generation = get64(p + AT_GENERATION);
	h->salt = salt_of(p, n);
	h->class = class_of(p);
	return fits(m, room - all) != 0 && syndrome(h, second, m) == 0;
}

/* Octets of the good records of that segment that begin at p, one behind the other. */
static size_t chain_octets(const struct segment_head *h, const unsigned char *p, size_t room)
{
	size_t at = 0;

	while (room - at >= RECORD_HEADER_OCTETS && memcmp(p + at, magic, sizeof magic) == 0 &&
		get64(p + at + AT_GENERATION) == h->generation) {
		uint32_t n = get32(p + at + AT_LENGTH);
		size_t all = fits(n, room - at);

		if (all == 0 || syndrome(h, p + at, n) != 0)
			break;
		at += all;
	}
	return at;
}

int segment_head_rebuild(int fd, uint64_t size, struct segment_head *h)
{
	static const unsigned char blank[RECORD_HEADER_OCTETS];
	unsigned char *all;
	size_t most = 0;
	int err, found = 0;

	memset(h, 0, sizeof *h);
	size &= ~(uint64_t)7;
	if (size < SEG_HEADER_OCTETS + 2 * RECORD_HEADER_OCTETS)
		return 0;
	all = xcalloc(1, size);
	err = pread_all(fd, all, size, 0);
	for (uint64_t at = SEG_HEADER_OCTETS; err == 0 && at + RECORD_HEADER_OCTETS <= size; at += 8) {
		struct segment_head here = { .size = size };
		size_t octets;

		if (memcmp(all + at, magic, sizeof magic) != 0 || !two_agree(all + at, size - at, &here))
			continue;
		octets = chain_octets(&here, all + at, size - at);
		if (octets > most) {
			most = octets;
			*h = here;
			found = 1;
		}
		/* What was written last stands in front. Behind it is an earlier use, or content that looks like records. */
		if (at == SEG_HEADER_OCTETS)
			break;
		at += octets - 8;
	}
	if (found && memcmp(all + SEG_HEADER_OCTETS, blank, sizeof blank) == 0)
		h->class = SEG_SPARE;
	free(all);
	return err != 0 ? err : found;
}
