#include "queued/queued.h"
#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

/*
 * Two octets of each file carry locks of the open file description, which the kernel drops with its last descriptor,
 * whoever was killed how: the writer has octet 0, readers share octet 1. So a queued that was started again knows
 * whether an smtpd still writes, and an agent still reads, without a word from either.
 */
enum { WRITER_LOCK = 0, READER_LOCK = 1 };

struct create { /* a new file, made in a thread */
	uv_work_t work;
	struct queued *q;
	unsigned number;
	uint64_t from, size;   /* octets that are there, and that shall be there */
	int dir, fd, err;      /* fd -1: there is no file yet */
	struct segment *found; /* no new file: this one, if it is blank; fd: its own */
};

static void file_name(unsigned number, char name[16])
{
	snprintf(name, 16, "%08x.seg", number);
}

static int lock(int fd, short type, int from, int octets)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = octets };

	return fcntl(fd, F_OFD_SETLK, &l);
}

static bool is_locked(int fd, int from, int octets)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = octets };

	return fcntl(fd, F_OFD_GETLK, &l) != 0 || l.l_type != F_UNLCK;
}

bool segment_has_writer(const struct segment *s)
{
	return is_locked(s->fd, WRITER_LOCK, 1);
}

bool segment_is_locked(const struct segment *s)
{
	return is_locked(s->fd, WRITER_LOCK, 2);
}

struct segment *segment_find(const struct queued *q, uint64_t generation)
{
	for (struct segment *s = q->segments; s; s = s->next)
		if (s->head.generation == generation && s->state != SEG_FREE)
			return s;
	return NULL;
}

static int open_again(const struct queued *q, const struct segment *s, int flags)
{
	char name[16];

	file_name(s->number, name);
	return openat(q->dir, name, flags | O_CLOEXEC | O_NOFOLLOW);
}

int segment_writer_fd(struct queued *q, const struct segment *s)
{
	int fd = open_again(q, s, O_RDWR);

	if (fd >= 0 && lock(fd, F_WRLCK, WRITER_LOCK, 1) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int segment_agent_fd(struct queued *q, struct segment *s)
{
	if (s->agent_fd >= 0)
		return s->agent_fd;
	s->agent_fd = open_again(q, s, O_RDONLY);
	if (s->agent_fd >= 0 && lock(s->agent_fd, F_RDLCK, READER_LOCK, 1) != 0)
		log_warn("segment file %08x: lock: %s", s->number, strerror(errno));
	return s->agent_fd;
}

struct segment *segment_add(struct queued *q, unsigned number, int fd)
{
	struct segment *s = xcalloc(1, sizeof *s);

	s->number = number;
	s->fd = fd;
	s->agent_fd = -1;
	s->borrower = 0;
	s->next = q->segments;
	q->segments = s;
	if (number >= q->next_number)
		q->next_number = number + 1;
	return s;
}

/* Zeros are written, not only allocated: a flush then never has to convert blocks. */
static int write_zeros(int fd, uint64_t from, uint64_t size)
{
	static const char zeros[1 << 20];

	for (uint64_t at = from, n; at < size; at += n) {
		int err;

		n = size - at < sizeof zeros ? size - at : sizeof zeros;
		err = pwrite_all(fd, zeros, (size_t)n, at, false);

		if (err != 0)
			return err;
	}
	return 0;
}

void segment_head_failed(struct segment *s, int err)
{
	log_error("segment file %08x: header: %s; left alone", s->number, strerror(-err));
	s->state = SEG_BAD;
}

/* Zeros are there already. It stays what it is unless they are: -EBUSY. */
static void take_blank(struct create *c)
{
	struct segment_head h = c->found->head;

	h.class = SEG_SPARE;
	c->err = file_is_blank(c->fd, SEG_HEADER_OCTETS, c->size) ? segment_head_write(c->fd, &h) : -EBUSY;
}

static void create_file(uv_work_t *work)
{
	struct create *c = container_of(work, struct create, work);
	struct segment_head h = { 1, c->size, SEG_SPARE, 0 };
	char name[16];

	if (c->found) {
		take_blank(c);
		return;
	}
	file_name(c->number, name);
	if (c->fd < 0)
		c->fd = openat(c->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->fd < 0) {
		c->err = -errno;
		return;
	}
	c->err = write_zeros(c->fd, c->from, c->size);
	if (c->err == 0)
		c->err = segment_head_write(c->fd, &h);
	if (c->err == 0 && (fsync(c->fd) != 0 || fsync(c->dir) != 0)) /* the file, and its name */
		c->err = -errno;
	if (c->err != 0) {
		close(c->fd);
		unlinkat(c->dir, name, 0);
	}
}

void segment_unlink(struct queued *q, struct segment *s)
{
	char name[16];

	file_name(s->number, name);
	s->no_file = unlinkat(q->dir, name, 0) == 0;
}

static void serve_all(struct queued *q)
{
	if (q->current == NULL) {
		q->current = segment_take(q, SEG_RESULT);
		if (q->current)
			q->current->state = SEG_CURRENT;
	}
	result_go_on(q);
	own_serve(q);
	smtpds_serve(q);
}

static void create_if_needed(struct queued *q);

static void on_looked_at(struct queued *q, struct segment *s, int err)
{
	s->is_looked_at = s->may_be_blank = false;
	q->recycle_due = true;
	if (err == -EBUSY)
		return;
	if (err != 0) {
		segment_head_failed(s, err);
		return;
	}
	log_scan_rest(&s->scan);
	s->head.class = SEG_SPARE;
	s->state = SEG_FREE;
	s->in_recovery = false;
}

static void on_created(uv_work_t *work, int status)
{
	struct create *c = container_of(work, struct create, work);
	struct queued *q = c->q;

	(void)status;
	q->creating = NULL;
	if (c->found) {
		on_looked_at(q, c->found, c->err);
	} else if (c->err != 0) {
		if (!q->create_failed)
			log_warn("no new segment of %llu octets in log: %s", (unsigned long long)c->size,
				strerror(-c->err));
		q->create_failed = true;
		q->create_again_ms = uv_now(q->child.loop) + 5000;
	} else {
		struct segment *s = segment_add(q, c->number, c->fd);

		q->create_failed = false;
		s->head = (struct segment_head){ 1, c->size, SEG_SPARE, 0 };
		s->state = SEG_FREE;
	}
	free(c);
	space_check(q);
	serve_all(q);
	create_if_needed(q);
}

unsigned segments_count(const struct queued *q, enum segment_state state)
{
	unsigned n = 0;

	for (const struct segment *s = q->segments; s; s = s->next)
		n += s->state == state;
	return n;
}

static uint64_t size_of_new(const struct queued *q)
{
	uint64_t size = SEGMENT_OCTETS, free_octets;
	struct statvfs fs;
	unsigned n = 0;

	for (const struct segment *s = q->segments; s; s = s->next)
		n++;
	if (n < SMALL_SEGMENTS || segments_count(q, SEG_FREE) == 0) /* somebody may be waiting for it */
		size = SMALL_SEGMENT_OCTETS;
	if (fstatvfs(q->dir, &fs) != 0)
		return size;
	free_octets = (uint64_t)fs.f_bavail * fs.f_frsize;
	while (size > 4 * 1024 * 1024 && size > free_octets / 16)
		size /= 2;
	return size;
}

static void go_on_with(struct create *c, struct unfinished *u)
{
	enum { BLOCK = 4096 };

	c->fd = u->fd;
	c->number = u->number;
	c->from = u->octets;
	if (c->size < c->from)
		c->size = (c->from + BLOCK - 1) & ~(uint64_t)(BLOCK - 1);
	u->is_there = false;
}

/*
 * What an earlier life of ours had lent, and nobody wrote to: its recovery did not come to it. Who is killed again and again
 * would fill the disk with such.
 */
static struct segment *find_blank(const struct queued *q)
{
	for (struct segment *s = q->recovering ? q->segments : NULL; s; s = s->next)
		if (s->may_be_blank && s->in_recovery && s->state == SEG_CLOSED && s->live == 0 && s->damaged == 0 &&
			!segment_is_locked(s))
			return s;
	return NULL;
}

static void look_at(struct create *c, struct segment *s)
{
	s->is_looked_at = true;
	c->found = s;
	c->fd = s->fd;
	c->size = s->head.size;
}

static void create_if_needed(struct queued *q)
{
	struct create *c;
	struct segment *blank;

	if (q->creating || segments_count(q, SEG_FREE) >= SPARES_KEPT ||
		(q->create_failed && uv_now(q->child.loop) < q->create_again_ms))
		return;
	c = q->creating = xcalloc(1, sizeof *c);
	c->q = q;
	c->dir = q->dir;
	c->fd = -1;
	c->size = size_of_new(q);
	blank = find_blank(q);
	if (q->unfinished.is_there)
		go_on_with(c, &q->unfinished);
	else if (blank)
		look_at(c, blank);
	else
		c->number = q->next_number++;
	if (uv_queue_work(q->child.loop, &c->work, create_file, on_created) != 0)
		panic("uv_queue_work");
}

struct segment *segment_take(struct queued *q, enum segment_class class)
{
	struct segment *best = NULL;
	struct segment_head h = { .generation = q->next_generation, .class = class };
	int err;

	for (struct segment *s = q->segments; s; s = s->next) {
		if (s->state != SEG_FREE || s->no_file)
			continue;
		/* Small ones serve the results, large ones the mail. */
		if (best == NULL || (s->head.size > best->head.size) == (class == SEG_MAIL))
			best = s;
	}
	create_if_needed(q);
	if (best == NULL)
		return NULL;
	h.size = best->head.size;
	random_octets(&h.salt, sizeof h.salt);
	q->next_generation++;
	err = segment_head_write(best->fd, &h);
	if (err != 0) {
		log_error("segment file %08x: header: %s; left alone", best->number, strerror(-err));
		best->state = SEG_BAD;
		return segment_take(q, class);
	}
	best->head = h;
	best->state = SEG_LENT;
	best->known = SEG_HEADER_OCTETS;
	best->in_recovery = best->was_read = false;
	best->last_result = 0;
	best->live = 0;
	best->live_octets = 0;
	best->n_about = 0;
	best->mark = best->mark_at = best->read_to = best->owed = 0;
	best->damaged = 0;
	best->failed = best->carried = false;
	best->failures = 0;
	best->again_ms = 0;
	best->borrower = 0;
	log_scan_begin(&best->scan, best->fd, &h);
	create_if_needed(q);
	return best;
}

void segments_serve(struct queued *q)
{
	serve_all(q);
	create_if_needed(q);
}

void segments_start(struct queued *q)
{
	segments_serve(q);
}

void segment_close(struct queued *q, struct segment *s, uint64_t known)
{
	s->state = SEG_CLOSED;
	s->known = known;
	s->closed_ms = uv_now(q->child.loop);
	s->closed_at = ++q->log_turn;
	take_wake(q);
	q->recycle_due = true;
}

void segment_unref(struct queued *q, struct segment *s, uint64_t octets)
{
	require(s->live > 0);
	s->live--;
	s->live_octets -= octets < s->live_octets ? octets : s->live_octets;
	if (s->live == 0 && s->state == SEG_CLOSED)
		q->recycle_due = true;
}
