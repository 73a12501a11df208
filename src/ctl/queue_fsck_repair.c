/* queue_fsck_repair.c - put right what can be put right; what is written over has a copy in spool/corrupt before. */
#include "ctl/queue_fsck.h"
#include "base/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int make_corrupt(const struct fsck *f)
{
	struct stat owner;
	int dir;

	if (mkdirat(f->spool, "corrupt", 0700) != 0 && errno != EEXIST)
		return -1;
	dir = openat(f->spool, "corrupt", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir >= 0 && geteuid() == 0 && fstat(f->log, &owner) == 0 && fchown(dir, owner.st_uid, owner.st_gid) != 0) {
		close(dir);
		return -1;
	}
	return dir;
}

/* A new file of that name, with the time in it so that an earlier one stays. */
static int new_file(const struct fsck *f, int dir, const char *name, char *full, size_t size)
{
	struct stat owner;
	int fd;

	snprintf(full, size, "%s.%lld", name, (long long)time(NULL));
	fd = openat(dir, full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && geteuid() == 0 && fstat(f->log, &owner) == 0 && fchown(fd, owner.st_uid, owner.st_gid) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Where only zeros are, or what cannot be read, nothing is written. */
static int copy_octets(int from, int to, uint64_t octets)
{
	static const char zeros[64 * 1024];
	char *p = xcalloc(1, sizeof zeros);
	uint64_t counted = 0;
	int err = ftruncate(to, (off_t)octets) == 0 ? 0 : -errno;

	for (uint64_t at = 0; at < octets && err == 0; at += sizeof zeros) {
		size_t n = octets - at < sizeof zeros ? (size_t)(octets - at) : sizeof zeros;

		if (pread_all(from, p, n, at) != 0)
			pread_passing(from, p, n, at, &counted);
		if (memcmp(p, zeros, n) != 0)
			err = pwrite_all(to, p, n, at, false);
	}
	free(p);
	return err == 0 && fsync(to) != 0 ? -errno : err;
}

static int quarantine(const struct fsck *f, int dir, struct fsck_segment *s, void (*say)(const char *, const char *))
{
	char name[64], text[128];
	int fd = new_file(f, dir, s->name, name, sizeof name), err;

	if (fd < 0)
		return -1;
	err = copy_octets(s->fd, fd, s->file_octets);
	close(fd);
	if (err != 0) {
		errno = -err;
		return -1;
	}
	snprintf(text, sizeof text, "copied as it was to corrupt/%s", name);
	say(s->name, text);
	return fsync(dir);
}

/* Records that say nothing, over n octets (a multiple of 8). */
static int write_void(struct fsck_segment *s, uint64_t at, uint64_t n)
{
	while (n >= RECORD_HEADER_OCTETS) {
		uint64_t all = n < RECORD_MAX_OCTETS ? n : RECORD_MAX_OCTETS;
		size_t payload;
		struct buf out = BUF_INIT(RECORD_MAX_OCTETS + RECORD_HEADER_OCTETS);
		char *zeros;
		int err;

		if (n - all > 0 && n - all < RECORD_HEADER_OCTETS)
			all -= RECORD_HEADER_OCTETS;
		payload = (size_t)all - RECORD_HEADER_OCTETS;
		zeros = xcalloc(1, payload + 1);
		record_put(&out, &s->head, RECORD_VOID, str_pn(zeros, payload));
		err = pwrite_all(s->fd, out.p, out.n, at, true);
		free(zeros);
		buf_free(&out);
		if (err != 0)
			return err;
		at += all;
		n -= all;
	}
	return 0;
}

static int repair_records(struct fsck_segment *s, void (*say)(const char *, const char *))
{
	size_t mended = 0;
	uint64_t voided = 0;
	char text[128];
	int err = 0;

	for (size_t i = 0; i < s->n_patch && err == 0; i++) {
		struct fsck_patch *p = &s->patch[i];

		err = p->p ? pwrite_all(s->fd, p->p, p->n, p->at, true) : write_void(s, p->at, p->n);
		mended += p->p != NULL;
		voided += p->p ? 0 : p->n;
	}
	if (err != 0) {
		errno = -err;
		return -1;
	}
	if (mended) {
		snprintf(text, sizeof text, "%zu records mended, a bit each", mended);
		say(s->name, text);
	}
	if (voided) {
		snprintf(text, sizeof text, "%llu octets marked as void", (unsigned long long)voided);
		say(s->name, text);
	}
	return 0;
}

static int repair_header(struct fsck_segment *s, void (*say)(const char *, const char *))
{
	int err = segment_head_write(s->fd, &s->head);

	if (err != 0) {
		errno = -err;
		return -1;
	}
	say(s->name, s->header == FSCK_ONE_COPY ? "header: the damaged copy is written again"
						: "header: made again from the records");
	return 0;
}

/* Nothing in it is known: out of the way with it. */
static int set_aside(const struct fsck *f, int dir, struct fsck_segment *s, void (*say)(const char *, const char *))
{
	char name[64], text[128];

	snprintf(name, sizeof name, "%s.%lld", s->name, (long long)time(NULL));
	if (renameat(f->log, s->name, dir, name) != 0)
		return -1;
	snprintf(text, sizeof text, "moved to corrupt/%s: no record in it can be read", name);
	say(s->name, text);
	return fsync(dir) == 0 ? fsync(f->log) : -1;
}

enum { TAG_FLAGS = 4, ATTRIBUTE_OCTETS = 5 }; /* docs/protocol/log.md: tag, length */

/* In a little-endian number. */
static void set_flag(char *number, uint32_t flag)
{
	for (; flag > 0xff; flag >>= 8)
		number++;
	*number = (char)((unsigned char)*number | flag);
}

/* Set ENV_LOST in an encoded envelope. False: it has no flags. */
static bool mark_lost(struct buf *envelope)
{
	for (size_t at = 0; at + ATTRIBUTE_OCTETS < envelope->n;) {
		struct ipc_in in = { str_from(buf_str(envelope), at), false };
		unsigned tag = ipc_get_u8(&in);
		struct str value = ipc_get_str(&in);

		if (in.bad)
			return false;
		if (tag == TAG_FLAGS && value.n == sizeof(uint64_t)) {
			set_flag(envelope->p + at + ATTRIBUTE_OCTETS, ENV_LOST);
			return true;
		}
		at += ATTRIBUTE_OCTETS + value.n;
	}
	return false;
}

/* Its COMMIT says from now on that it is lost, so that queued tells its sender; void where there is nobody to tell. */
static int give_up(struct fsck_message *m, void (*say)(const char *, const char *))
{
	struct fsck_segment *s = m->segment;
	struct buf commit = BUF_INIT(RECORD_MAX_OCTETS), out = BUF_INIT(RECORD_MAX_OCTETS + RECORD_HEADER_OCTETS);
	int err = record_read(s->fd, &s->head, m->offset, RECORD_COMMIT, &commit);
	bool told = err == 0 && m->env.sender.n > 0 && !(m->env.flags & ENV_REPORT) && mark_lost(&commit);
	char id[ENVELOPE_ID_TEXT], text[128];

	if (told) {
		record_put(&out, &s->head, RECORD_COMMIT, buf_str(&commit));
		err = pwrite_all(s->fd, out.p, out.n, m->offset, true);
	} else if (err == 0) {
		err = write_void(s, m->offset, record_octets(commit.n));
	}
	buf_free(&commit);
	buf_free(&out);
	errno = -err;
	if (err != 0)
		return -1;
	snprintf(text, sizeof text, "%s: it is given up, and %s", envelope_id_text(m->env.id, id),
		told ? "its sender is told when the instance runs" : "has no sender to tell");
	say(s->name, text);
	return 0;
}

/* What is left of a message goes into a file that a person can read: before its damaged records become void. */
static int export_message(
	const struct fsck *f, int dir, struct fsck_message *m, void (*say)(const char *, const char *))
{
	char id[ENVELOPE_ID_TEXT], name[64], text[192];
	int fd = new_file(f, dir, envelope_id_text(m->env.id, id), name, sizeof name);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
	int err;

	if (out == NULL)
		return -1;
	fprintf(out, "*** MESSAGE %s: %zu octets of its content are damaged ***\nsender: %.*s\n", id, m->damaged_octets,
		STR_ARG(m->env.sender));
	for (size_t i = 0; i < m->env.n_rcpt; i++)
		fprintf(out, "%s: %.*s\n", m->rcpt_done[i] ? "done_recipient" : "recipient",
			STR_ARG(m->env.rcpt[i].address));
	fprintf(out, "*** CONTENT (lines that begin with a dot have one more) ***\n");
	for (size_t i = 0; i < m->env.n_extent; i++) {
		const struct extent *x = &m->env.extent[i];
		const struct fsck_segment *s = fsck_segment_find(f, x->generation);
		char *p = xcalloc(1, x->octets + 1u);
		uint64_t counted = 0;

		if (s && pread_all(s->fd, p, x->octets, x->offset) != 0)
			pread_passing(s->fd, p, x->octets, x->offset, &counted);
		if (s)
			fwrite(p, 1, x->octets, out);
		free(p);
	}
	err = fflush(out) != 0 || fsync(fileno(out)) != 0 ? errno : 0;
	fclose(out);
	errno = err;
	if (err != 0)
		return -1;
	snprintf(text, sizeof text, "%s: what is left of it is in corrupt/%s", id, name);
	say(m->segment->name, text);
	return fsync(dir);
}

/* The one that it was copied from counts again: of two, queued reads the later one first. */
static int drop_copy(struct fsck_message *m, void (*say)(const char *, const char *))
{
	char id[ENVELOPE_ID_TEXT], text[128];
	struct buf commit = BUF_INIT(RECORD_MAX_OCTETS);
	int err = record_read(m->segment->fd, &m->segment->head, m->offset, RECORD_COMMIT, &commit);

	if (err == 0)
		err = write_void(m->segment, m->offset, record_octets(commit.n));
	buf_free(&commit);
	errno = -err;
	if (err != 0)
		return -1;
	snprintf(text, sizeof text, "%s: a damaged copy is marked as void; the message that it was made of is whole",
		envelope_id_text(m->env.id, id));
	say(m->segment->name, text);
	return 0;
}

static int repair_message(struct fsck_message *m, void (*say)(const char *, const char *))
{
	if (m->segment->error != 0)
		return 0;
	if (m->state == FSCK_DAMAGED)
		return give_up(m, say);
	return m->state == FSCK_DAMAGED_COPY ? drop_copy(m, say) : 0;
}

static int repair_segment(
	const struct fsck *f, int dir, struct fsck_segment *s, void (*say)(const char *, const char *))
{
	bool header = s->header == FSCK_ONE_COPY || s->header == FSCK_REBUILT;

	if (s->error)
		return -1;
	if (s->header == FSCK_LOST)
		return set_aside(f, dir, s, say);
	if (!header && s->n_patch == 0 && s->lost == 0 && s->damaged_copies == 0)
		return 0;
	if (quarantine(f, dir, s, say) != 0 || (header && repair_header(s, say) != 0))
		return -1;
	return repair_records(s, say);
}

/* 0; -1: one could not be written, which is told. */
static int export_messages(const struct fsck *f, int dir, void (*say)(const char *, const char *))
{
	for (size_t h = 0; h < FSCK_HASH; h++)
		for (struct fsck_message *m = f->message[h]; m; m = m->next)
			if (m->state == FSCK_DAMAGED && m->segment->error == 0 && export_message(f, dir, m, say) != 0) {
				say("corrupt", strerror(errno));
				return -1;
			}
	return 0;
}

static int repair_all(struct fsck *f, int dir, void (*say)(const char *, const char *))
{
	int r = 0;

	for (size_t i = 0; i < f->n_segment; i++) {
		if (f->progress)
			f->progress("repaired", i, f->n_segment);
		errno = f->segment[i]->error ? -f->segment[i]->error : 0;
		if (repair_segment(f, dir, f->segment[i], say) == 0)
			continue;
		say(f->segment[i]->name, strerror(errno));
		r = -1;
	}
	for (size_t h = 0; h < FSCK_HASH; h++)
		for (struct fsck_message *m = f->message[h]; m; m = m->next)
			if (repair_message(m, say) != 0) {
				say(m->segment->name, strerror(errno));
				r = -1;
			}
	return r;
}

int fsck_repair(struct fsck *f, void (*say)(const char *segment, const char *what))
{
	int dir = make_corrupt(f), r;

	if (dir < 0) {
		say("corrupt", strerror(errno));
		return -1;
	}
	r = export_messages(f, dir, say) == 0 ? repair_all(f, dir, say) : -1;
	close(dir);
	return r;
}
