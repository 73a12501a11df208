#include "log/record.h"
#include "base/arena.h"
#include "base/crc32c.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	HEAD_COPY_OCTETS = 2048, /* the header is there twice, in two sectors */
	HEAD_USED_OCTETS = 48,
	LOG_VERSION = 1,
	WINDOW_OCTETS = 256 * 1024,
	SMALL_WINDOW_OCTETS = 1024,
	LARGE_OCTETS = 16 * 1024,
	BLOCK_OCTETS = 4096 /* what a disk loses at once */
};
static const char seg_magic[8] = "Gatepost";
static const uint32_t record_magic = 0x44525047; /* "GPRD" */

struct log_data {
	uint64_t offset;
	uint32_t octets;
};

static void put32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static void put64(unsigned char *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const unsigned char *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

int pwrite_all(int fd, const void *p, size_t n, uint64_t at, bool flush)
{
	while (n > 0) {
		struct iovec iov = { (void *)(uintptr_t)p, n };
		ssize_t w = pwritev2(fd, &iov, 1, (off_t)at, flush ? RWF_DSYNC : 0);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		if (w == 0)
			return -ENOSPC;
		p = (const char *)p + w;
		n -= (size_t)w;
		at += (uint64_t)w;
	}
	return 0;
}

int pread_all(int fd, void *p, size_t n, uint64_t at)
{
	while (n > 0) {
		ssize_t r = pread(fd, p, n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			return -EIO;
		p = (char *)p + r;
		n -= (size_t)r;
		at += (uint64_t)r;
	}
	return 0;
}

uint64_t pread_passing(int fd, void *p, size_t n, uint64_t at, uint64_t *counted_to)
{
	uint64_t end = at + n, lost = 0;
	char *to = p;

	while (at < end) {
		uint64_t next = (at / BLOCK_OCTETS + 1) * BLOCK_OCTETS;
		size_t part;

		next = next < end ? next : end;
		part = (size_t)(next - at);
		if (pread_all(fd, to, part, at) != 0) {
			memset(to, 0, part);
			if (next > *counted_to) {
				lost += next - (at > *counted_to ? at : *counted_to);
				*counted_to = next;
			}
		}
		to += part;
		at = next;
	}
	return lost;
}

int segment_head_write(int fd, const struct segment_head *h)
{
	unsigned char block[SEG_HEADER_OCTETS + RECORD_HEADER_OCTETS] = { 0 };
	size_t n = h->class == SEG_SPARE ? sizeof block : SEG_HEADER_OCTETS;

	memcpy(block, seg_magic, sizeof seg_magic);
	put32(block + 8, LOG_VERSION);
	put32(block + 12, h->class);
	put64(block + 16, h->generation);
	put64(block + 24, h->size);
	put32(block + 32, h->salt);
	put32(block + 44, crc32c(0, block, 44));
	memcpy(block + HEAD_COPY_OCTETS, block, HEAD_USED_OCTETS);
	return pwrite_all(fd, block, n, 0, true);
}

static bool head_parse(const unsigned char *p, struct segment_head *h)
{
	if (memcmp(p, seg_magic, sizeof seg_magic) != 0 || get32(p + 44) != crc32c(0, p, 44) ||
		get32(p + 8) != LOG_VERSION)
		return false;
	h->class = get32(p + 12);
	h->generation = get64(p + 16);
	h->size = get64(p + 24);
	h->salt = get32(p + 32);
	return h->size > SEG_HEADER_OCTETS;
}

int segment_head_read(int fd, struct segment_head *h)
{
	unsigned char block[SEG_HEADER_OCTETS];
	struct segment_head second;
	bool first_good, second_good;
	int err = pread_all(fd, block, sizeof block, 0);

	memset(h, 0, sizeof *h);
	if (err != 0)
		return err;
	first_good = head_parse(block, h);
	second_good = head_parse(block + HEAD_COPY_OCTETS, &second);
	/* Torn while a new generation was written: that the old one may go was decided before. */
	if (second_good && (!first_good || second.generation > h->generation))
		*h = second;
	if (first_good || second_good)
		return 1;
	for (size_t i = 0; i < sizeof block; i++)
		if (block[i] != 0)
			return -EBADMSG;
	return 0;
}

size_t record_octets(size_t payload)
{
	return RECORD_HEADER_OCTETS + ((payload + 7) & ~(size_t)7);
}

static uint32_t record_crc(uint32_t salt, const unsigned char *head, const void *payload, size_t n)
{
	return crc32c(crc32c(salt, head + 8, RECORD_HEADER_OCTETS - 8), payload, n);
}

void record_head_put(unsigned char head[RECORD_HEADER_OCTETS], const struct segment_head *h, enum record_type type,
	struct str payload)
{
	require(payload.n <= RECORD_MAX_OCTETS);
	put32(head, record_magic);
	put64(head + 8, h->generation);
	put32(head + 16, (uint32_t)payload.n);
	put32(head + 20, (uint32_t)type);
	put32(head + 4, record_crc(h->salt, head, payload.p, payload.n));
}

void record_put(struct buf *out, const struct segment_head *h, enum record_type type, struct str payload)
{
	size_t all = record_octets(payload.n);
	char *at = buf_reserve(out, all);

	require(at != NULL);
	record_head_put((unsigned char *)at, h, type, payload);
	if (payload.n)
		memcpy(at + RECORD_HEADER_OCTETS, payload.p, payload.n);
	memset(at + RECORD_HEADER_OCTETS + payload.n, 0, all - RECORD_HEADER_OCTETS - payload.n);
	buf_commit(out, all);
}

/* Does a record of this segment seem to start here, with room for it in `room` octets? Its whole length, or 0. */
static size_t looks_like_record(const struct segment_head *h, const unsigned char *p, uint64_t room)
{
	uint32_t n;

	if (room < RECORD_HEADER_OCTETS || get32(p) != record_magic || get64(p + 8) != h->generation)
		return 0;
	n = get32(p + 16);
	if (n > RECORD_MAX_OCTETS || record_octets(n) > room)
		return 0;
	return record_octets(n);
}

void log_scan_begin(struct log_scan *s, int fd, const struct segment_head *h)
{
	memset(s, 0, sizeof *s);
	s->fd = fd;
	s->head = *h;
	s->offset = SEG_HEADER_OCTETS;
	s->window = BUF_INIT(2 * RECORD_MAX_OCTETS);
}

/* Make octets [at, at + n) readable in the window; the caller keeps at + n within the file. NULL: *err is set. */
static const unsigned char *window_get(struct log_scan *s, uint64_t at, size_t n, uint64_t limit, int *err)
{
	size_t least = s->in_large ? SMALL_WINDOW_OCTETS : WINDOW_OCTETS, want = n > least ? n : least;
	char *p;

	if (at >= s->window_at && at + n <= s->window_at + s->window.n)
		return (const unsigned char *)s->window.p + (at - s->window_at);
	if (want > limit - at)
		want = (size_t)(limit - at);
	buf_reset(&s->window);
	p = buf_reserve(&s->window, want);
	require(p != NULL);
	*err = pread_all(s->fd, p, want, at);
	if (*err != 0 && s->passes_errors) {
		s->unreadable += pread_passing(s->fd, p, want, at, &s->unreadable_to);
		*err = 0;
	}
	if (*err != 0)
		return NULL;
	s->window_at = at;
	buf_commit(&s->window, want);
	return (const unsigned char *)s->window.p;
}

static void remember_data(struct log_scan *s, uint64_t offset, uint32_t octets)
{
	if (s->n_data == s->cap_data) {
		s->cap_data = s->cap_data ? s->cap_data * 2 : 64;
		s->data = xrealloc(s->data, s->cap_data * sizeof *s->data);
	}
	s->data[s->n_data++] = (struct log_data){ offset, octets };
}

/* A good record exactly at `at`? 1, 0, or negative errno. */
static int record_at(struct log_scan *s, uint64_t at, uint64_t limit, struct record *r)
{
	const unsigned char *p;
	uint64_t room = limit > at ? limit - at : 0;
	size_t all, n;
	int err = 0;

	if (room < RECORD_HEADER_OCTETS)
		return 0;
	p = window_get(s, at, RECORD_HEADER_OCTETS, limit, &err);
	if (p == NULL)
		return err;
	all = looks_like_record(&s->head, p, room);
	if (all == 0)
		return 0;
	n = get32(p + 16);
	r->type = (uint16_t)get32(p + 20);
	s->in_large = s->trusts_data && r->type == RECORD_DATA && n >= LARGE_OCTETS;
	if (s->in_large) {
		r->offset = at;
		r->payload = str_pn("", n); /* nobody reads it: see log_scan_next() */
		return 1;
	}
	p = window_get(s, at, all, limit, &err);
	if (p == NULL)
		return err;
	if (get32(p + 4) != record_crc(s->head.salt, p, p + RECORD_HEADER_OCTETS, n)) {
		s->suspects += r->type == RECORD_COMMIT;
		return 0;
	}
	r->offset = at;
	r->payload = str_pn(p + RECORD_HEADER_OCTETS, n);
	return 1;
}

/* The first of n octets at which a record may start, or where fewer octets than a header are left. The file goes on for `room`. */
static size_t candidate_in(const struct segment_head *h, const unsigned char *p, size_t n, uint64_t room)
{
	size_t i = 0;

	while (n - i >= RECORD_HEADER_OCTETS &&
		(get32(p + i) != record_magic || looks_like_record(h, p + i, room - i) == 0))
		i += 8;
	return i;
}

/* The next place from `at` on where a record of this generation may start; limit: none. */
static int find_candidate(struct log_scan *s, uint64_t limit, uint64_t *at)
{
	int err = 0;

	while (*at + RECORD_HEADER_OCTETS <= limit) {
		const unsigned char *p = window_get(s, *at, RECORD_HEADER_OCTETS, limit, &err);
		size_t n, i;

		if (p == NULL)
			return err;
		n = (size_t)(s->window_at + s->window.n - *at);
		i = candidate_in(&s->head, p, n, limit - *at);
		*at += i;
		if (n - i >= RECORD_HEADER_OCTETS)
			return 0;
	}
	*at = limit;
	return 0;
}

static int scan_next(struct log_scan *s, uint64_t limit, struct record *r)
{
	uint64_t at = s->offset;

	if (limit > s->head.size)
		limit = s->head.size;
	s->suspects = 0;
	while (at < limit) {
		int found = record_at(s, at, limit, r);

		if (found < 0)
			return found;
		if (found) {
			s->skipped += at - s->offset;
			s->commits_lost += s->suspects;
			s->offset = at + record_octets(r->payload.n);
			if (r->type == RECORD_DATA)
				remember_data(s, at + RECORD_HEADER_OCTETS, (uint32_t)r->payload.n);
			return 1;
		}
		if (s->no_skip)
			return 0;
		at += 8;
		found = find_candidate(s, limit, &at);
		if (found < 0)
			return found;
	}
	return 0;
}

void log_scan_anew(struct log_scan *s)
{
	buf_reset(&s->window);
}

int log_scan_next(struct log_scan *s, uint64_t limit, struct record *r)
{
	int found = scan_next(s, limit, r);

	if (found != 1) /* what is not there now may be there the next time */
		log_scan_anew(s);
	return found;
}

bool log_scan_has_data(const struct log_scan *s, uint64_t offset, uint32_t octets)
{
	size_t low = 0, high = s->n_data;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->data[mid].offset == offset)
			return s->data[mid].octets == octets;
		if (s->data[mid].offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

void log_scan_rest(struct log_scan *s)
{
	buf_free(&s->window);
	free(s->data);
	s->data = NULL;
	s->n_data = s->cap_data = 0;
}

int record_read(int fd, const struct segment_head *h, uint64_t offset, enum record_type type, struct buf *out)
{
	unsigned char head[RECORD_HEADER_OCTETS];
	size_t n, before = out->n;
	char *p;
	int err;

	if (offset < SEG_HEADER_OCTETS || offset >= h->size || h->size - offset < sizeof head)
		return -EBADMSG;
	err = pread_all(fd, head, sizeof head, offset);
	if (err != 0)
		return err;
	if (looks_like_record(h, head, h->size - offset) == 0 || get32(head + 20) != (uint32_t)type)
		return -EBADMSG;
	n = get32(head + 16);
	p = buf_reserve(out, n);
	if (p == NULL)
		return -EMSGSIZE;
	err = pread_all(fd, p, n, offset + sizeof head);
	if (err != 0)
		return err;
	if (get32(head + 4) != record_crc(h->salt, head, p, n))
		return -EBADMSG;
	buf_commit(out, n);
	require(out->n == before + n);
	return 0;
}

int record_check_data(int fd, const struct segment_head *h, uint64_t offset, uint32_t octets)
{
	struct buf payload = BUF_INIT(RECORD_MAX_OCTETS);
	int err;

	if (offset < SEG_HEADER_OCTETS + RECORD_HEADER_OCTETS)
		return 0;
	err = record_read(fd, h, offset - RECORD_HEADER_OCTETS, RECORD_DATA, &payload);
	if (err == 0)
		err = payload.n == octets ? 1 : 0;
	else if (err == -EBADMSG)
		err = 0;
	buf_free(&payload);
	return err;
}
