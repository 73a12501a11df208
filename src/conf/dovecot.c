#include "conf/dovecot_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void dovecot_complain(struct dovecot_reader *r, const char *fmt, ...)
{
	va_list ap;

	if (r->errors == NULL)
		return;
	buf_addf(r->errors, "%s, line %u: ", r->file, r->line);
	va_start(ap, fmt);
	buf_vaddf(r->errors, fmt, ap);
	va_end(ap);
	buf_add_char(r->errors, '\n');
}

void dovecot_warn(struct dovecot_reader *r, const char *fmt, ...)
{
	struct buf *out = &r->conf->warnings;
	va_list ap;

	buf_addf(out, "%s, line %u: ", r->file, r->line);
	va_start(ap, fmt);
	buf_vaddf(out, fmt, ap);
	va_end(ap);
	buf_add_char(out, '\n');
}

int dovecot_read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return errno;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		error = EINVAL;
	while (error == 0) {
		char *p = buf_reserve(out, 16384);

		if (p == NULL) {
			error = EFBIG;
			break;
		}
		n = read(fd, p, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			error = errno;
		if (n <= 0)
			break;
		buf_commit(out, (size_t)n);
	}
	close(fd);
	return error;
}

const char *dovecot_beside(struct dovecot_reader *r, struct str path)
{
	ptrdiff_t slash = str_rchr(str_c(r->file), '/');

	if ((path.n && path.p[0] == '/') || slash < 0)
		return arena_cdup(r->conf->mem, path);
	return arena_printf(r->conf->mem, "%.*s%.*s", (int)slash + 1, r->file, STR_ARG(path));
}

static struct dovecot_conf *conf_new(struct dovecot_reader *r, const char *file, struct buf *errors, bool flat)
{
	struct dovecot_conf *c = xcalloc(1, sizeof *c);

	c->mem = arena_new(0);
	c->warnings = BUF_INIT(65536);
	*r = (struct dovecot_reader){
		.conf = c, .errors = errors, .flat = flat, .file = arena_cdup(c->mem, str_c(file))
	};
	r->stack[0] = &c->first;
	return c;
}

static struct dovecot_conf *parse(const char *file, struct str text, struct buf *errors, bool flat)
{
	struct dovecot_reader r;
	struct dovecot_conf *c = conf_new(&r, file, errors, flat);

	dovecot_parse_lines(&r, arena_dup(c->mem, text));
	return c;
}

static struct dovecot_conf *load(const char *file, struct buf *errors, bool flat)
{
	struct buf content = BUF_INIT(DOVECOT_FILE_MAX);
	int error = dovecot_read_file(file, &content);
	struct dovecot_conf *c;

	if (error && errors)
		buf_addf(errors, "%s: cannot be read: %s\n", file,
			error == EINVAL ? "not a plain file" : strerror(error));
	c = parse(file, error ? STR("") : buf_str(&content), errors, flat);
	buf_wipe(&content);
	return c;
}

struct dovecot_conf *dovecot_load(const char *file, struct buf *errors)
{
	return load(file, errors, false);
}

struct dovecot_conf *dovecot_parse(const char *file, struct str text, struct buf *errors)
{
	return parse(file, text, errors, false);
}

struct dovecot_conf *dovecot_load_flat(const char *file, struct buf *errors)
{
	return load(file, errors, true);
}

struct dovecot_conf *dovecot_parse_flat(const char *file, struct str text, struct buf *errors)
{
	return parse(file, text, errors, true);
}

void dovecot_free(struct dovecot_conf **c)
{
	if (*c) {
		arena_wipe(&(*c)->mem); /* "connect" may hold a password */
		buf_free(&(*c)->warnings);
	}
	free(*c);
	*c = NULL;
}

const struct dovecot_node *dovecot_get(const struct dovecot_node *list, const char *key)
{
	const struct dovecot_node *found = NULL;

	for (; list; list = list->next)
		if (list->name == NULL && strcmp(list->key, key) == 0)
			found = list;
	return found;
}

const char *dovecot_value(const struct dovecot_node *list, const char *key, const char *otherwise)
{
	const struct dovecot_node *n = dovecot_get(list, key);

	return n ? n->value : otherwise;
}

const struct dovecot_node *dovecot_section(const struct dovecot_node *list, const char *key)
{
	while (list && (list->name == NULL || strcmp(list->key, key) != 0))
		list = list->next;
	return list;
}
