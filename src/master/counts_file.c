#include "master/counts_file.h"

#include "base/crc32c.h"
#include "base/log.h"
#include "base/window_keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EVERY_MS = 10000, FILE_MAX = 64 * 1024 * 1024, SEED = 32, PATH_OCTETS = 4096 };

/* Of a machine's own kind of numbers; it goes nowhere else. */
struct head {
	char magic[8];
	uint32_t record_octets, crc; /* of all, while crc is 0 */
	uint64_t written_ms;	     /* by the clock of counts.h */
	unsigned char seed[SEED];
};
static const char magic[8] = { 'u', 's', 'e', 'r', 'c', 'n', 't', '1' };

_Static_assert(sizeof((struct master *)0)->seed == SEED, "the file has the whole seed");

static struct {
	uv_timer_t timer;
	uint32_t crc; /* of the records that the file has */
	bool is_there, has_failed;
} kept;

static const char *path_of(const struct master *m, const char *end, char path[PATH_OCTETS])
{
	snprintf(path, PATH_OCTETS, "%s/pid/user.counts%s", m->queue_directory, end);
	return path;
}

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t now_ms(const struct master *m)
{
	return counts_now(m->counts, clock_ms(CLOCK_MONOTONIC));
}

/* ---- in ---- */

/* 0; -1 with errno. A file of somebody else's is none. */
static int read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	ssize_t n = 0;
	char *p;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	while ((p = buf_reserve(out, 65536)) != NULL && (n = read(fd, p, 65536)) > 0)
		buf_commit(out, (size_t)n);
	close(fd);
	return p == NULL || n < 0 ? -1 : 0;
}

static bool is_whole(const struct buf *file, struct head *head)
{
	uint32_t crc;

	if (file->n < sizeof *head)
		return false;
	memcpy(head, file->p, sizeof *head);
	crc = head->crc;
	head->crc = 0;
	return memcmp(head->magic, magic, sizeof magic) == 0 && head->record_octets == sizeof(struct window_record) &&
	       crc == crc32c(crc32c(0, head, sizeof *head), file->p + sizeof *head, file->n - sizeof *head);
}

static void take(struct master *m, const struct head *head, struct str records)
{
	uint64_t now = now_ms(m);

	memcpy(m->seed, head->seed, sizeof m->seed);
	windows_restore(m->counts, m->counts_fd, records, head->written_ms > now ? head->written_ms - now : 0, now);
}

void counts_file_load(struct master *m)
{
	struct buf file = BUF_INIT(FILE_MAX);
	uint64_t wall = clock_ms(CLOCK_REALTIME), mono = clock_ms(CLOCK_MONOTONIC);
	struct head head;
	char path[PATH_OCTETS];

	if (m->counts == NULL)
		return;
	counts_set_clock(m->counts, wall > mono ? wall - mono : 0);
	if (read_file(path_of(m, "", path), &file) == 0) {
		if (is_whole(&file, &head))
			take(m, &head, str_from(buf_str(&file), sizeof head));
		else
			log_warn("%s: it is damaged, or of another version; messages and recipients of users are "
				 "counted "
				 "anew",
				path);
	} else if (errno != ENOENT) {
		log_warn("%s: %s; messages and recipients of users are counted anew", path, strerror(errno));
	}
	mem_wipe(&head, sizeof head);
	buf_wipe(&file);
}

/* ---- out ---- */

static int write_all(int fd, const char *p, size_t n)
{
	ssize_t done = 0;

	for (; n; p += done, n -= (size_t)done)
		if ((done = write(fd, p, n)) <= 0)
			return -1;
	return 0;
}

/* Under another name first: what is found under its own is whole. */
static int write_file(const struct master *m, const struct buf *file)
{
	char fresh[PATH_OCTETS], path[PATH_OCTETS];
	int fd, error, r;

	path_of(m, ".new", fresh);
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	r = write_all(fd, file->p, file->n);
	error = errno;
	close(fd);
	if (r == 0 && rename(fresh, path_of(m, "", path)) == 0)
		return 0;
	error = r == 0 ? errno : error;
	unlink(fresh);
	errno = error;
	return -1;
}

static void settle(const struct master *m, bool is_written)
{
	char path[PATH_OCTETS];

	path_of(m, "", path);
	if (!is_written && !kept.has_failed)
		log_warn("cannot write %s: %s; messages and recipients of users are counted anew after a restart", path,
			strerror(errno));
	if (is_written && kept.has_failed)
		log_info("%s is written again", path);
	kept.has_failed = !is_written;
}

static void write_now(const struct master *m)
{
	struct buf file = BUF_INIT(FILE_MAX);
	struct head head = { .record_octets = sizeof(struct window_record), .written_ms = now_ms(m) };
	uint32_t crc;

	memcpy(head.magic, magic, sizeof magic);
	memcpy(head.seed, m->seed, sizeof head.seed);
	buf_add(&file, &head, sizeof head);
	windows_keep(m->counts, m->counts_fd, head.written_ms, &file);
	crc = crc32c(0, file.p + sizeof head, file.n - sizeof head);
	if (!kept.is_there || crc != kept.crc) {
		head.crc = crc32c(0, file.p, file.n);
		memcpy(file.p, &head, sizeof head);
		settle(m, write_file(m, &file) == 0);
		kept.is_there = !kept.has_failed;
		kept.crc = crc;
	}
	mem_wipe(&head, sizeof head);
	buf_wipe(&file);
}

static void on_timer(uv_timer_t *timer)
{
	write_now(timer->data);
}

void counts_file_begin(struct master *m)
{
	if (m->counts == NULL)
		return;
	uv_timer_init(m->loop, &kept.timer);
	kept.timer.data = m;
	uv_timer_start(&kept.timer, on_timer, EVERY_MS, EVERY_MS);
	uv_unref((uv_handle_t *)&kept.timer);
}

void counts_file_leave(struct master *m)
{
	if (m->counts == NULL)
		return;
	uv_timer_stop(&kept.timer);
	write_now(m);
}
