#include "deliver/mailbox.h"
#include "deliver/content.h"
#include "deliver/path.h"
#include "mime/dsn_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_ATTEMPTS = 20, STALE_LOCK_S = 500, DOTLOCK_MAX = PATH_PART_MAX + 8 };

struct mbox {
	int dir, file;
	char lock[DOTLOCK_MAX]; /* "" while we hold none */
	off_t size;		/* before we began: what it is cut back to */
	const char *doing;
};

/* "name.lock" in the same directory. 0 or -1 (errno; EAGAIN: somebody else holds it). */
static int take_dotlock(struct mbox *b, const char *name)
{
	char lock[DOTLOCK_MAX];
	struct stat st;

	snprintf(lock, sizeof lock, "%s.lock", name);
	b->doing = "make the lock file of";
	for (int i = 0; i < LOCK_ATTEMPTS; i++) {
		int fd = openat(b->dir, lock, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0) {
			close(fd);
			memcpy(b->lock, lock, sizeof lock);
			return 0;
		}
		if (errno != EEXIST)
			return -1;
		if (fstatat(b->dir, lock, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime + STALE_LOCK_S < time(NULL))
			unlinkat(b->dir, lock, 0);
		sleep(1);
	}
	errno = EAGAIN;
	return -1;
}

static int take_kernel_lock(const struct mailbox *m, struct mbox *b)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	b->doing = "lock";
	for (int i = 0; i < LOCK_ATTEMPTS; i++) {
		if ((!m->lock_fcntl || fcntl(b->file, F_SETLK, &l) == 0) &&
			(!m->lock_flock || flock(b->file, LOCK_EX | LOCK_NB) == 0))
			return 0;
		if (errno != EACCES && errno != EAGAIN && errno != EINTR)
			return -1;
		sleep(1);
	}
	errno = EAGAIN;
	return -1;
}

/* A plain file of ours with one name: what is appended goes nowhere else. */
static int check_file(const struct mailbox *m, struct mbox *b)
{
	struct stat st;

	b->doing = "trust (no plain file, or hard links to it, or of another owner)";
	if (fstat(b->file, &st) != 0)
		return -1;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || (m->take_ids && st.st_uid != m->uid)) {
		errno = EPERM;
		return -1;
	}
	b->size = st.st_size;
	return 0;
}

static int open_locked(const struct mailbox *m, struct mbox *b, const char *name)
{
	if (m->lock_dot && take_dotlock(b, name) != 0)
		return -1;
	b->doing = "open";
	b->file = openat(b->dir, name, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (b->file < 0)
		return -1;
	if (take_kernel_lock(m, b) != 0)
		return -1;
	return check_file(m, b);
}

/* A line that begins with "From " would begin a message: it gets a ">" (mboxo). Lines may be cut between chunks. */
static void quote_from(struct buf *out, struct str in, struct buf *line_start, bool *at_start)
{
	struct str from = STR("From ");

	while (in.n > 0) {
		ptrdiff_t lf = str_chr(in, '\n');
		size_t n = lf < 0 ? in.n : (size_t)lf + 1;
		struct str piece = str_sub(in, 0, n);
		in = str_from(in, n);
		if (*at_start) {
			buf_add_str(line_start, piece);
			struct str begun = buf_str(line_start);
			if (begun.n < from.n && lf < 0)
				return; /* may still become "From " */
			if (str_has_prefix(begun, from))
				buf_add_char(out, '>');
			buf_add_str(out, begun);
			buf_reset(line_start);
		} else {
			buf_add_str(out, piece);
		}
		*at_start = lf >= 0;
	}
}

static void put_from_line(const struct mailbox *m, struct buf *out)
{
	char date[64];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm);
	buf_add_c(out, "From ");
	if (m->env->sender.n > 0)
		dsn_clean(out, m->env->sender, true);
	else
		buf_add_c(out, "MAILER-DAEMON");
	buf_addf(out, "  %s\n", date);
}

static int append(const struct mailbox *m, struct mbox *b)
{
	struct content c = { .segments = m->segments, .env = m->env, .mime_depth = m->mime_depth };
	struct buf out = BUF_INIT(4 * CONTENT_CHUNK), start = BUF_INIT(2 * CONTENT_CHUNK);
	char *p = xcalloc(1, CONTENT_CHUNK + 1);
	bool at_start = true;
	ssize_t n = content_begin(&c);
	int rc;

	b->doing = "append to";
	put_from_line(m, &out);
	mailbox_put_header(m, &out);
	rc = write_all(b->file, out.p, out.n);
	while (rc == 0 && n >= 0 && (n = content_next(&c, p)) > 0) {
		buf_reset(&out);
		quote_from(&out, str_pn(p, (size_t)n), &start, &at_start);
		rc = write_all(b->file, out.p, out.n);
	}
	if (rc == 0 && n < 0) {
		errno = (int)-n;
		rc = -1;
	}
	content_end(&c);
	buf_add_char(&start, '\n'); /* the blank line between messages */
	if (rc == 0)
		rc = write_all(b->file, start.p, start.n);
	if (rc == 0)
		rc = fsync(b->file);
	free(p);
	buf_free(&out);
	buf_free(&start);
	return rc;
}

static int write_message(const struct mailbox *m, struct mbox *b, struct mailbox_result *r)
{
	if (m->limit > 0 && (uint64_t)b->size + m->env->size > m->limit) {
		mailbox_set(r, RCPT_BOUNCED, "5.2.2", "mailbox would grow over %s (%llu octets)", m->limit_name,
			(unsigned long long)m->limit);
		return 0;
	}
	if (append(m, b) == 0) {
		mailbox_sent(r, "delivered to mailbox");
		return fsync(b->dir);
	}
	int err = errno;
	/* Half a message must not stay. */
	if (ftruncate(b->file, b->size) != 0)
		b->doing = "append to, and cut back what was written to,";
	errno = err;
	return -1;
}

void mbox_write(const struct mailbox *m, int dir, const char *name, struct mailbox_result *r)
{
	struct mbox b = { .dir = dir, .file = -1 };
	char what[1400];

	snprintf(what, sizeof what, "mailbox %s/%.*s", m->base, STR_ARG(m->path));
	if (open_locked(m, &b, name) != 0 || write_message(m, &b, r) != 0)
		mailbox_failed(m, r, errno, b.doing, what);
	if (b.file >= 0)
		close(b.file);
	if (b.lock[0] != '\0')
		unlinkat(dir, b.lock, 0);
}
