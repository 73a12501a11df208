#include "authd/passwd_file.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 64, FILE_OCTETS = 64 * 1024 * 1024, EXTRA_MAX = 64, LOOK_AGAIN_MS = 1000 };

struct passwd_file {
	char *path;
	struct buf text;
	struct timespec changed;
	off_t size;
	ino_t inode;
	uint64_t looked_ms;
	bool is_there, was_told;
};
struct passwd_files {
	struct passwd_file file[FILES_MAX];
	size_t n;
};

struct passwd_files *passwd_files_new(void)
{
	return xcalloc(1, sizeof(struct passwd_files));
}

/* ---- lines ---- */

static void add(struct sql_row *row, struct str name, struct str value)
{
	row->field[row->n].name = name;
	row->field[row->n++].value = value;
}

static int expand(struct str text, const struct vars *v, struct arena *mem, struct str *out, const char **why)
{
	struct template t;

	*out = text;
	if (str_chr(text, '%') < 0)
		return 0;
	if (template_compile(text, mem, &t, why) < 0)
		return -1;
	*out = template_expand(&t, v, mem);
	return 0;
}

static int add_extra(struct sql_row *row, struct str extra, bool is_passdb, const struct vars *v, struct arena *mem,
	const char **why)
{
	struct str word;

	while (row->n < EXTRA_MAX && str_word(&extra, " \t", &word)) {
		ptrdiff_t eq = str_chr(word, '=');
		struct str name = eq < 0 ? word : str_sub(word, 0, (size_t)eq);
		struct str value = eq < 0 ? STR("yes") : str_from(word, (size_t)eq + 1);

		if (!is_passdb && !str_has_prefix(name, STR("userdb_")))
			continue;
		if (expand(value, v, mem, &value, why) < 0)
			return -1;
		add(row, is_passdb ? name : str_from(name, 7), value);
	}
	return 0;
}

struct sql_row *passwd_file_row(
	struct str line, bool is_passdb, const struct vars *v, struct arena *mem, const char **why)
{
	static const char *const names[] = { NULL, "password", "uid", "gid", NULL, "home", NULL };
	struct sql_row *row = arena_alloc(mem, sizeof *row);
	struct str rest = line, part;

	*why = NULL;
	if (line.n == 0 || line.p[0] == '#' || line.p[0] == ':')
		return NULL;
	row->field = arena_array(mem, EXTRA_MAX, sizeof *row->field);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		bool wanted = names[i] && is_passdb == (i == 1);

		if (!str_field(&rest, ":", &part))
			part = (struct str){ 0 };
		if (wanted && (part.n || is_passdb))
			add(row, str_c(names[i]), arena_dup(mem, part));
	}
	if (rest.p && add_extra(row, arena_dup(mem, rest), is_passdb, v, mem, why) < 0)
		return NULL;
	return row;
}

static bool next_line(struct str *rest, struct str *line)
{
	if (rest->n == 0 || !str_field(rest, "\n", line))
		return false;
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

static struct str user_of(struct str line)
{
	ptrdiff_t colon = str_chr(line, ':');

	return line.n && line.p[0] == '#' ? STR("") : colon < 0 ? line : str_sub(line, 0, (size_t)colon);
}

/* ---- files ---- */

static int read_all(int fd, struct buf *out)
{
	for (;;) {
		char *p = buf_reserve(out, 65536);
		ssize_t n = p ? read(fd, p, 65536) : -1;

		if (n < 0 && p && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -1 : 0;
		buf_commit(out, (size_t)n);
	}
}

/* Keep what was there unless all of it can be read anew. */
static void load(struct passwd_file *f, const struct stat *st)
{
	struct buf fresh = BUF_INIT(FILE_OCTETS);
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	bool done = fd >= 0 && read_all(fd, &fresh) == 0;

	if (fd >= 0)
		close(fd);
	if (done) {
		buf_wipe(&f->text);
		f->text = fresh;
		f->is_there = true;
		f->changed = st->st_mtim;
		f->size = st->st_size;
		f->inode = st->st_ino;
	} else {
		buf_wipe(&fresh);
		if (f->is_there && !f->was_told)
			log_warn("%s has changed and cannot be read (%s); going on with what it was", f->path,
				strerror(errno));
	}
	f->was_told = !done;
}

static struct passwd_file *find(struct passwd_files *files, const char *path)
{
	struct passwd_file *f = files->file;

	for (; f < files->file + files->n; f++)
		if (strcmp(f->path, path) == 0)
			return f;
	if (files->n == FILES_MAX) {
		/* Paths with variables can be many: the one that was looked at longest ago goes. */
		f = files->file;
		for (size_t i = 1; i < files->n; i++)
			if (files->file[i].looked_ms < f->looked_ms)
				f = &files->file[i];
		buf_wipe(&f->text);
		free(f->path);
	} else {
		files->n++;
	}
	*f = (struct passwd_file){ .path = xstrdup(path), .text = BUF_INIT(FILE_OCTETS) };
	return f;
}

static const struct passwd_file *look(struct passwd_files *files, const char *path, uint64_t now_ms)
{
	struct passwd_file *f = find(files, path);
	struct stat st;

	if (f->is_there && now_ms - f->looked_ms < LOOK_AGAIN_MS)
		return f;
	f->looked_ms = now_ms;
	if (stat(path, &st) != 0) {
		if (errno == ENOENT)
			f->is_there = false;
		return f;
	}
	if (!f->is_there || st.st_size != f->size || st.st_ino != f->inode || st.st_mtim.tv_sec != f->changed.tv_sec ||
		st.st_mtim.tv_nsec != f->changed.tv_nsec)
		load(f, &st);
	return f;
}

static int is_missing(const struct passwd_file *f, struct arena *mem, const char **why)
{
	if (f->is_there)
		return 0;
	*why = arena_printf(mem, "%s cannot be read: %s", f->path, strerror(errno));
	return -1;
}

int passwd_file_find(struct passwd_files *files, const char *path, struct str user, bool is_passdb,
	const struct vars *v, uint64_t now_ms, struct arena *mem, struct sql_row **row, const char **why)
{
	const struct passwd_file *f = look(files, path, now_ms);
	struct str rest = buf_str(&f->text), line;

	*row = NULL;
	if (is_missing(f, mem, why) < 0)
		return -1;
	*why = NULL;
	while (*row == NULL && *why == NULL && next_line(&rest, &line))
		if (user.n && str_eq(user_of(line), user))
			*row = passwd_file_row(line, is_passdb, v, mem, why);
	return *why ? -1 : 0;
}

int passwd_file_list(struct passwd_files *files, const char *path, uint64_t now_ms, struct arena *mem,
	struct sql_row **rows, const char **why)
{
	const struct passwd_file *f = look(files, path, now_ms);
	struct str rest = buf_str(&f->text), line;

	*rows = NULL;
	if (is_missing(f, mem, why) < 0)
		return -1;
	while (next_line(&rest, &line)) {
		struct str user = user_of(line);

		if (user.n == 0)
			continue;
		*rows = arena_alloc(mem, sizeof **rows);
		(*rows)->field = arena_alloc(mem, sizeof *(*rows)->field);
		(*rows)->n = 1;
		(*rows)->field[0].name = STR("user");
		(*rows)->field[0].value = arena_dup(mem, user);
		rows = &(*rows)->next;
	}
	return 0;
}
