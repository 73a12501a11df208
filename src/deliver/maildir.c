#include "deliver/mailbox.h"
#include "deliver/content.h"
#include "deliver/open_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

struct maildir {
	int tmp, new, file;
	struct timeval now;
	char tmp_name[300], new_name[300];
	const char *doing; /* what failed, for the text */
};

static int write_content(const struct mailbox *m, struct maildir *d)
{
	struct content c = { .segments = m->segments, .env = m->env, .mime_depth = m->mime_depth };
	struct buf header = BUF_INIT(8192);
	char *p = xcalloc(1, CONTENT_CHUNK + 1);
	ssize_t n = content_begin(&c);
	int rc;

	mailbox_put_header(m, &header);
	rc = write_all(d->file, header.p, header.n);
	while (rc == 0 && n >= 0 && (n = content_next(&c, p)) > 0)
		rc = write_all(d->file, p, (size_t)n);
	if (rc == 0 && n < 0) {
		d->doing = "copy the message from the queue to";
		errno = (int)-n;
		rc = -1;
	}
	content_end(&c);
	free(p);
	buf_free(&header);
	return rc;
}

/* Into new/ in one step, so that a reader finds it whole or not at all. */
static int move_to_new(struct maildir *d)
{
	if (syscall(SYS_renameat2, d->tmp, d->tmp_name, d->new, d->new_name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* File systems without that flag (NFS). */
	if (linkat(d->tmp, d->tmp_name, d->new, d->new_name, 0) != 0)
		return -1;
	unlinkat(d->tmp, d->tmp_name, 0);
	return 0;
}

static int write_file(const struct mailbox *m, struct maildir *d)
{
	struct stat st;

	snprintf(d->tmp_name, sizeof d->tmp_name, "%lld.P%d.%s", (long long)d->now.tv_sec, (int)getpid(), m->host);
	d->doing = "create a file in tmp/ of";
	d->file = openat(d->tmp, d->tmp_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->file < 0)
		return -1;
	d->doing = "write to";
	if (write_content(m, d) != 0 || fsync(d->file) != 0 || fstat(d->file, &st) != 0)
		return -1;
	snprintf(d->new_name, sizeof d->new_name, "%lld.V%llxI%llxM%ld.%s", (long long)d->now.tv_sec,
		(unsigned long long)st.st_dev, (unsigned long long)st.st_ino, (long)d->now.tv_usec, m->host);
	d->doing = "move the file from tmp/ to new/ of";
	if (move_to_new(d) != 0)
		return -1;
	d->tmp_name[0] = '\0';
	d->doing = "flush new/ of";
	return fsync(d->new);
}

static int open_folders(struct maildir *d, int dir)
{
	bool making;
	int cur;

	d->doing = "make cur/ in";
	cur = open_or_make_dir(dir, "cur", &making);
	if (cur < 0)
		return -1;
	close(cur);
	d->doing = "open tmp/ of";
	d->tmp = open_or_make_dir(dir, "tmp", &making);
	if (d->tmp < 0)
		return -1;
	d->doing = "open new/ of";
	d->new = open_or_make_dir(dir, "new", &making);
	return d->new < 0 ? -1 : 0;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void maildir_write(const struct mailbox *m, int dir, struct mailbox_result *r)
{
	struct maildir d = { .tmp = -1, .new = -1, .file = -1 };
	char what[1400];

	snprintf(what, sizeof what, "maildir %s/%.*s", m->base, STR_ARG(m->path));
	if (m->limit > 0 && m->env->size > m->limit) {
		/* It will never fit: the same answer as to a file that would grow over the limit. */
		mailbox_set(r, RCPT_BOUNCED, "5.2.2", "message of %llu octets is over %s (%llu)",
			(unsigned long long)m->env->size, m->limit_name, (unsigned long long)m->limit);
		return;
	}
	gettimeofday(&d.now, NULL);
	if (open_folders(&d, dir) == 0 && write_file(m, &d) == 0)
		mailbox_sent(r, "delivered to maildir");
	else
		mailbox_failed(m, r, errno, d.doing, what);
	if (d.file >= 0 && d.tmp_name[0] != '\0' && r->status != RCPT_SENT)
		unlinkat(d.tmp, d.tmp_name, 0);
	close_one(d.file);
	close_one(d.tmp);
	close_one(d.new);
}
