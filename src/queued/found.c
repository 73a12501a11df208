/* found.c - the segments that are there at the start. */
#include "queued/queued.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_is_blank(int fd, uint64_t from, uint64_t size)
{
	char octets[64 * 1024], zeros[sizeof octets] = { 0 };

	for (uint64_t at = from; at < size; at += sizeof octets) {
		size_t n = size - at < sizeof octets ? (size_t)(size - at) : sizeof octets;

		if (pread_all(fd, octets, n, at) != 0 || memcmp(octets, zeros, n) != 0)
			return false;
	}
	return true;
}

/* It is finished when the next one is wanted: who is killed again and again gets on all the same. A second one goes. */
static void keep_unfinished(struct queued *q, struct segment *s, uint64_t octets)
{
	require(q->segments == s);
	q->segments = s->next;
	if (q->unfinished.is_there) {
		segment_unlink(q, s);
		close(s->fd);
	} else {
		q->unfinished = (struct unfinished){ true, s->number, s->fd, octets };
	}
	free(s);
}

/* What a segment that was found is to us. What it holds is read later: see take.c. */
static void take_up(struct queued *q, struct segment *s, uint64_t size)
{
	if (size < s->head.size) {
		log_error("segment file %08x: %llu of its %llu octets are missing; the rest is read", s->number,
			(unsigned long long)(s->head.size - size), (unsigned long long)s->head.size);
		s->head.size = size & ~(uint64_t)7;
	}
	if (s->head.generation >= q->next_generation)
		q->next_generation = s->head.generation + 1;
	s->state = SEG_FREE;
	if (s->head.class == SEG_SPARE)
		return;
	s->in_recovery = true;
	s->state = segment_has_writer(s) ? SEG_FOREIGN : SEG_CLOSED;
	s->known = s->head.size;
	s->may_be_blank = file_is_blank(s->fd, SEG_HEADER_OCTETS, SEG_HEADER_OCTETS + RECORD_HEADER_OCTETS);
	s->closed_at = ++q->log_turn;
	log_scan_begin(&s->scan, s->fd, &s->head);
	s->scan.no_skip = s->state == SEG_FOREIGN;
}

/* Damaged it stays; but a disk that fails now may give it later. */
static void header_failed(struct queued *q, struct segment *s, int err)
{
	s->state = SEG_BAD;
	s->header_waits = err < 0 && err != -EBADMSG && reread_later(q, s, err);
	if (s->header_waits)
		return;
	log_error("segment file %08x: its header cannot be read: %s; left alone: see `gatepost queue fsck`", s->number,
		err < 0 && err != -EBADMSG ? strerror(-err) : "damaged");
	q->header_is_lost = true;
}

static void read_header_again(struct queued *q, struct segment *s)
{
	struct segment_head h;
	struct stat st;
	int r = segment_head_read(s->fd, &h);

	if (r == 1 && fstat(s->fd, &st) != 0)
		r = -errno;
	if (r == 1 && segment_find(q, h.generation)) /* given again meanwhile: to be read after the next start */
		r = -EBADMSG;
	if (r != 1) {
		header_failed(q, s, r);
		return;
	}
	s->head = h;
	s->header_waits = false;
	reread_worked(s);
	take_up(q, s, (uint64_t)st.st_size);
	segments_serve(q);
}

bool segments_wait_for_header(struct queued *q)
{
	bool some = false;

	for (struct segment *s = q->segments; s; s = s->next) {
		if (s->header_waits && s->again_ms == 0)
			read_header_again(q, s);
		some |= s->header_waits;
	}
	return some;
}

static void open_file(struct queued *q, const char *name)
{
	unsigned number;
	struct segment *s;
	struct stat st;
	char end;
	int fd, r;

	if (sscanf(name, "%8x.se%c", &number, &end) != 2 || strlen(name) != 12 || end != 'g')
		return;
	fd = openat(q->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0)
		fatal("log/%s: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		fatal("log/%s: no plain file with one name; not touched", name);
	if (q->child.root && st.st_uid != q->child.uid) { /* brought back from a copy by root, most likely */
		log_warn("log/%s belongs to uid %u, not to the queue's owner; put right", name, (unsigned)st.st_uid);
		if (fchown(fd, q->child.uid, q->child.gid) != 0)
			fatal("log/%s: chown: %s", name, strerror(errno));
	}
	s = segment_add(q, number, fd);
	r = st.st_size < SEG_HEADER_OCTETS ? 0 : segment_head_read(fd, &s->head);
	if (r == 1) {
		take_up(q, s, (uint64_t)st.st_size);
	} else if (r == 0 && file_is_blank(fd, 0, (uint64_t)st.st_size)) {
		/* Its creation was interrupted. Zeros in the place of a header alone would be damage. */
		keep_unfinished(q, s, (uint64_t)st.st_size);
	} else {
		header_failed(q, s, r);
	}
}

/*
 * Where a header is not known, neither is its generation, which must not be given again: its messages would have the ids of others.
 * So many segments are not written beyond the clock.
 */
static void pass_over_unknown(struct queued *q)
{
	enum { BEYOND = 1000000 };
	bool some = q->header_is_lost;

	for (const struct segment *s = q->segments; s; s = s->next)
		some |= s->header_waits;
	if (some)
		q->next_generation += BEYOND;
}

void segments_open(struct queued *q)
{
	struct stat st;
	DIR *list;

	if (mkdir("log", 0700) == 0 && q->child.root && chown("log", q->child.uid, q->child.gid) != 0)
		fatal("%s/log: chown: %s", q->child.queue_directory, strerror(errno));
	q->dir = open("log", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (q->dir < 0 || fstat(q->dir, &st) != 0)
		fatal("%s/log: %s", q->child.queue_directory, strerror(errno));
	if (st.st_uid != (q->child.root ? q->child.uid : geteuid()) || (st.st_mode & 077) != 0)
		fatal("%s/log must belong to the queue's owner and be closed to all others (mode 0700)",
			q->child.queue_directory);
	if (flock(q->dir, LOCK_EX | LOCK_NB) != 0)
		fatal("%s/log: another queued is at work there", q->child.queue_directory);
	q->next_generation = (uint64_t)q->start_us / 1000000;
	list = fdopendir(dup(q->dir));
	if (list == NULL)
		fatal("%s/log: %s", q->child.queue_directory, strerror(errno));
	for (struct dirent *e = readdir(list); e; e = readdir(list))
		open_file(q, e->d_name);
	closedir(list);
	pass_over_unknown(q);
	for (struct segment *s = q->segments; s; s = s->next)
		q->recovering |= s->in_recovery || s->header_waits;
}
