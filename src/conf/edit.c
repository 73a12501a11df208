/* edit.c - main.cf edited line by line, and files replaced as a whole. */
#include "conf/edit.h"
#include "base/arena.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Cut a line off, without its end. */
static bool cut_line(struct str *rest, struct str *line)
{
	ptrdiff_t end;

	if (rest->n == 0)
		return false;
	end = str_chr(*rest, '\n');
	*line = end < 0 ? *rest : str_sub(*rest, 0, (size_t)end);
	*rest = str_from(*rest, end < 0 ? rest->n : (size_t)end + 1);
	return true;
}

static struct edit *find_edit(struct edit *edits, size_t n, struct str line)
{
	size_t len = 0;

	while (len < line.n && !strchr(" \t\r=", line.p[len]))
		len++;
	for (size_t i = n; i > 0; i--)
		if (str_eq(edits[i - 1].name, str_sub(line, 0, len)))
			return &edits[i - 1];
	return NULL;
}

static int add_line(struct buf *out, const char *before, struct str line)
{
	return buf_add_c(out, before) || buf_add_str(out, line) || buf_add_char(out, '\n') ? -1 : 0;
}

static int add_setting(struct buf *out, const struct edit *e)
{
	return buf_addf(out, "%.*s = %.*s\n", STR_ARG(e->name), STR_ARG(e->value));
}

static int by_name(const void *a, const void *b)
{
	return str_cmp((*(const struct edit *const *)a)->name, (*(const struct edit *const *)b)->name);
}

/* What was not there, sorted by name. */
static int add_new(struct edit *edits, size_t n, struct buf *out)
{
	struct edit **missing = xcalloc(n + 1, sizeof(*missing));
	size_t count = 0;
	int failed = 0;

	for (size_t i = 0; i < n; i++)
		if (!edits[i].found && find_edit(edits, n, edits[i].name) == &edits[i])
			missing[count++] = &edits[i];
	qsort(missing, count, sizeof(*missing), by_name);
	for (size_t i = 0; i < count && !failed; i++)
		failed = add_setting(out, missing[i]);
	free(missing);
	return failed;
}

int edit_main_cf(struct str text, enum edit_kind kind, struct edit *edits, size_t n, struct buf *out)
{
	struct edit *now = NULL; /* whose logical line this is */
	struct str rest = text, line;
	int failed = 0;

	while (!failed && cut_line(&rest, &line)) {
		struct str content = str_trim(line);
		bool continued = line.n && strchr(" \t\r", line.p[0]) && line.p[0];

		if (content.n == 0 || content.p[0] == '#') {
			failed = add_line(out, "", line);
			continue;
		}
		if (!continued) {
			now = find_edit(edits, n, line);
			if (now)
				now->found++;
		}
		if (!now)
			failed = add_line(out, "", line);
		else if (kind == EDIT_COMMENT)
			failed = add_line(out, "#", line);
		else if (kind == EDIT_SET && !continued)
			failed = add_setting(out, now);
	}
	return failed || kind != EDIT_SET ? failed : add_new(edits, n, out);
}

int edit_read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
	ssize_t n = 1;

	if (fd < 0)
		return -1;
	while (n > 0) {
		char *room = buf_reserve(out, 65536);

		errno = EFBIG;
		n = room ? read(fd, room, 65536) : -1;
		if (n > 0)
			buf_commit(out, (size_t)n);
	}
	saved = errno;
	close(fd);
	errno = saved;
	return n < 0 ? -1 : 0;
}

static int write_all(int fd, struct str text)
{
	while (text.n) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			text = str_from(text, (size_t)n);
	}
	return 0;
}

static int flush_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? xstrndup(str_pn(path, slash == path ? 1 : (size_t)(slash - path))) : xstrdup(".");
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	free(dir);
	if (fd < 0)
		return -1;
	r = fsync(fd);
	close(fd);
	return r;
}

/* Fill the new file and give it the old one's owner and mode. */
static int fill(int fd, const struct stat *old, struct str text)
{
	struct stat st;

	if (fstat(fd, &st))
		return -1;
	if ((st.st_uid != old->st_uid || st.st_gid != old->st_gid) && fchown(fd, old->st_uid, old->st_gid))
		return -1;
	if (fchmod(fd, old->st_mode & 07777) || write_all(fd, text))
		return -1;
	return fsync(fd);
}

/* Is the file that fd is open on the one at the path still? */
static bool is_at(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* Open and lock it; who held the lock before may have renamed or removed it meanwhile. */
static int open_locked(const char *path)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), saved;

		if (fd < 0)
			return -1;
		while (flock(fd, LOCK_EX) && errno == EINTR)
			;
		if (is_at(fd, path)) {
			if (ftruncate(fd, 0) == 0)
				return fd;
			saved = errno;
			close(fd);
			errno = saved;
			return -1;
		}
		close(fd);
	}
}

static void end(struct edit_file *f)
{
	int saved = errno;

	close(f->fd);
	free(f->path);
	free(f->temporary);
	*f = (struct edit_file){ NULL, NULL, -1 };
	errno = saved;
}

int edit_begin(const char *path, struct edit_file *f)
{
	*f = (struct edit_file){ NULL, NULL, -1 };
	f->path = realpath(path, NULL);
	if (!f->path)
		return -1;
	f->temporary = xcalloc(strlen(f->path) + sizeof(".tmp"), 1);
	memcpy(f->temporary, f->path, strlen(f->path));
	memcpy(f->temporary + strlen(f->path), ".tmp", sizeof(".tmp"));
	f->fd = open_locked(f->temporary);
	if (f->fd >= 0)
		return 0;
	end(f);
	return -1;
}

void edit_cancel(struct edit_file *f)
{
	int saved = errno;

	if (!f->path)
		return;
	unlink(f->temporary);
	errno = saved;
	end(f);
}

int edit_commit(struct edit_file *f, struct str text)
{
	struct stat old;
	int r;

	if (stat(f->path, &old) || fill(f->fd, &old, text) || rename(f->temporary, f->path)) {
		edit_cancel(f);
		return -1;
	}
	r = flush_directory(f->path);
	end(f);
	return r;
}

int edit_replace_file(const char *path, struct str text)
{
	struct edit_file f;

	return edit_begin(path, &f) ? -1 : edit_commit(&f, text);
}
