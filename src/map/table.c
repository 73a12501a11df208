#include "map/table.h"
#include "base/log.h"
#include "map/map_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct table_type *const types[] = { &table_inline, &table_static, &table_fail, &table_texthash,
	&table_hash, &table_btree, &table_lmdb, &table_regexp, &table_pcre, &table_cidr, &table_sqlite, &table_userdb,
#ifdef HAVE_MYSQL
	&table_mysql,
#endif
#ifdef HAVE_PGSQL
	&table_pgsql,
#endif
	&table_unix };
static const struct table_type table_unknown;

enum { NOTICES_MAX = 64 * 1024, BUCKETS = 256, LOOK_AGAIN_MS = 1000, TURN_S = 1 };

struct table_set {
	enum table_reach reach;
	char *queue_directory;
	bool sealed;
	struct table *bucket[BUCKETS];
	size_t n;
	pthread_mutex_t tables_lock, notices_lock;
	struct buf notices;
	struct table *outsider; /* what a sealed set answers with */
};

uint64_t table_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct table *unknown_make(void)
{
	return xcalloc(1, sizeof(struct table));
}

static void unknown_free(struct table *t)
{
	free(t);
}

static enum map_status unknown_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	(void)key;
	(void)value;
	if (t == t->set->outsider)
		buf_addf(why, "the table that was asked for is not named in main.cf or master.cf");
	else
		buf_addf(why,
			"%s: there is no such type of table here; \"postconf -m\" lists those that there are (an "
			"address "
			"is written in brackets: [::1])",
			t->spec);
	return MAP_TEMPORARY;
}

static const struct table_type table_unknown = { "unknown", 0, unknown_make, unknown_find, unknown_free, NULL, NULL };

const struct table_type *table_type_find(struct str name)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (str_eq(name, str_c(types[i]->name)))
			return types[i];
	return NULL;
}

bool table_is_file(const struct table *t)
{
	return (t->type->flags & TABLE_FILE) && !((t->type->flags & TABLE_PATTERN) && t->name[0] == '{');
}

static struct table *make_table(struct table_set *s, struct str spec, struct str type, struct str name)
{
	const struct table_type *tt = table_type_find(type);
	struct table *t = tt ? tt->make() : unknown_make();

	t->type = tt ? tt : &table_unknown;
	t->set = s;
	t->spec = xstrndup(spec);
	t->name = xstrndup(name);
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

static void drop_table(struct table *t)
{
	char *spec = t->spec, *name = t->name;

	pthread_mutex_destroy(&t->lock);
	t->type->free(t);
	free(spec);
	free(name);
}

struct table_set *table_set_new(enum table_reach reach, const char *queue_directory)
{
	struct table_set *s = xcalloc(1, sizeof *s);

	s->reach = reach;
	s->queue_directory = xstrdup(queue_directory);
	s->notices = BUF_INIT(NOTICES_MAX);
	pthread_mutex_init(&s->notices_lock, NULL);
	pthread_mutex_init(&s->tables_lock, NULL);
	s->outsider = make_table(s, STR("outsider"), STR("outsider"), STR(""));
	return s;
}

void table_set_free(struct table_set **s)
{
	if (*s == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		struct table *t = (*s)->bucket[i];

		while (t) {
			struct table *next = t->next;

			drop_table(t);
			t = next;
		}
	}
	drop_table((*s)->outsider);
	buf_free(&(*s)->notices);
	pthread_mutex_destroy(&(*s)->notices_lock);
	pthread_mutex_destroy(&(*s)->tables_lock);
	free((*s)->queue_directory);
	free(*s);
	*s = NULL;
}

void table_set_seal(struct table_set *s)
{
	s->sealed = true;
}

const char *table_set_queue_directory(const struct table_set *s)
{
	return s->queue_directory;
}

enum table_reach table_set_reach(const struct table_set *s)
{
	return s->reach;
}

size_t table_set_count(const struct table_set *s)
{
	return s->n;
}

struct table *table_set_next(const struct table_set *s, const struct table *after)
{
	size_t i = 0;

	if (after && after->next)
		return after->next;
	if (after)
		i = (str_hash(str_c(after->spec)) % BUCKETS) + 1;
	for (; i < BUCKETS; i++)
		if (s->bucket[i])
			return s->bucket[i];
	return NULL;
}

void table_set_notices(struct table_set *s, struct buf *lines)
{
	pthread_mutex_lock(&s->notices_lock);
	buf_add_str(lines, buf_str(&s->notices));
	buf_free(&s->notices);
	pthread_mutex_unlock(&s->notices_lock);
}

void table_notice(struct table *t, const char *fmt, ...)
{
	struct buf line = BUF_INIT(TABLE_WHY_MAX);
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&line, fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&t->set->notices_lock);
	if (line.n + 1 <= NOTICES_MAX - t->set->notices.n) {
		buf_add_str(&t->set->notices, buf_str(&line));
		buf_add_char(&t->set->notices, '\n');
	}
	pthread_mutex_unlock(&t->set->notices_lock);
	buf_free(&line);
}

bool table_is_spec(struct str word)
{
	size_t i = 0;

	if (word.n && word.p[0] == '/')
		return false;
	while (i < word.n && (ascii_is_alnum(word.p[i]) || word.p[i] == '_' || word.p[i] == '-'))
		i++;
	return i > 0 && i < word.n && word.p[i] == ':';
}

static struct table *get(struct table_set *s, struct str spec, bool own)
{
	struct str type, name;
	struct table *t;
	size_t slot;

	while (str_has_prefix(spec, STR("proxy:")) || str_has_prefix(spec, STR("proxywrite:")))
		spec = str_from(spec, (size_t)str_chr(spec, ':') + 1);
	slot = str_hash(spec) % BUCKETS;
	for (t = s->bucket[slot]; t; t = t->next)
		if (str_eq(str_c(t->spec), spec))
			return t;
	if (s->sealed && !own)
		return s->outsider;
	type = table_is_spec(spec) ? str_sub(spec, 0, (size_t)str_chr(spec, ':')) : STR("hash");
	name = table_is_spec(spec) ? str_from(spec, type.n + 1) : spec;
	t = make_table(s, spec, type, name);
	t->next = s->bucket[slot];
	s->bucket[slot] = t;
	s->n++;
	return t;
}

struct table *table_get(struct table_set *s, struct str spec)
{
	struct table *t;

	pthread_mutex_lock(&s->tables_lock);
	t = get(s, spec, false);
	pthread_mutex_unlock(&s->tables_lock);
	return t;
}

struct table *table_get_own(struct table_set *s, struct str spec)
{
	struct table *t;

	pthread_mutex_lock(&s->tables_lock);
	t = get(s, spec, true);
	pthread_mutex_unlock(&s->tables_lock);
	return t;
}

/* Lower case of a key that is short enough, in `folded`. */
static struct str fold(const struct table *t, struct str key, char folded[TABLE_KEY_MAX])
{
	if (t->keep_case || (t->type->flags & TABLE_PATTERN))
		return key;
	for (size_t i = 0; i < key.n; i++)
		folded[i] = ascii_lower(key.p[i]);
	return (struct str){ folded, key.n };
}

/*
 * False: it is not its turn within a second, because one lookup takes that long, or those before it do together. All threads would
 * end up waiting for this table, and no other be asked.
 */
static bool take_turn(struct table *t)
{
	struct timespec end;

	if (!(t->type->flags & TABLE_REMOTE))
		return pthread_mutex_lock(&t->lock) == 0;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += TURN_S;
	return pthread_mutex_clocklock(&t->lock, CLOCK_MONOTONIC, &end) == 0;
}

enum map_status table_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	char folded[TABLE_KEY_MAX];
	enum map_status status;

	buf_reset(value);
	buf_reset(why);
	if (t->set->reach == TABLES_LOCAL && !(t->type->flags & TABLE_OWN_TEXT))
		return MAP_ELSEWHERE;
	if (t->set->reach == TABLES_FROZEN && (t->type->flags & TABLE_LIVE)) {
		buf_addf(why,
			"%s: a list that is read at the start (mynetworks, fast_flush_domains, whose default is "
			"relay_domains, and "
			"other lists of hosts) can have no table of this type",
			t->spec);
		return MAP_TEMPORARY;
	}
	if (key.n > TABLE_KEY_MAX || (key.n && memchr(key.p, '\0', key.n)))
		return MAP_NOT_FOUND;
	if (!take_turn(t)) {
		buf_addf(why, "%s: the lookups before this one take too long", t->spec);
		return MAP_TEMPORARY;
	}
	status = t->type->find(t, fold(t, key, folded), value, why);
	pthread_mutex_unlock(&t->lock);
	return status;
}

void table_set_prepare(struct table_set *s)
{
	size_t before;

	/* Each look may put more tables into the set, also where this one has been already. */
	do {
		before = s->n;
		for (struct table *t = table_set_next(s, NULL); t; t = table_set_next(s, t))
			if (t->type->needs)
				t->type->needs(t, &(struct table_needs){ .n_ports = 0 });
	} while (s->n != before);
}

enum map_status table_walk_all(struct table *t, struct table_walk *w, struct buf *why)
{
	enum map_status status;

	buf_reset(why);
	if (t->type->walk == NULL) {
		buf_addf(why, "%s: a table of this type cannot be listed", t->spec);
		return MAP_TEMPORARY;
	}
	pthread_mutex_lock(&t->lock);
	status = t->type->walk(t, w, why);
	pthread_mutex_unlock(&t->lock);
	return status;
}

struct table_list table_list_make(struct table_set *s, struct str value)
{
	struct table_list l = { NULL, 0 };
	struct str word;

	while (map_word(&value, &word)) {
		l.t = xrealloc(l.t, (l.n + 1) * sizeof *l.t);
		l.t[l.n++] = table_get(s, map_unbrace(word));
	}
	return l;
}

void table_list_drop(struct table_list *l)
{
	free(l->t);
	*l = (struct table_list){ NULL, 0 };
}

enum map_status table_list_find(
	const struct table_list *l, struct str key, bool part, struct buf *value, struct buf *why)
{
	for (size_t i = 0; i < l->n; i++) {
		enum map_status status;

		if (part && (l->t[i]->type->flags & TABLE_PATTERN))
			continue;
		status = table_find(l->t[i], key, value, why);
		if (status != MAP_NOT_FOUND)
			return status;
	}
	return MAP_NOT_FOUND;
}

void table_file_forget(struct table_file *f)
{
	f->known = false;
	f->checked_ms = 0;
}

int table_file_changed(struct table *t, struct table_file *f, const char *path)
{
	uint64_t now = table_now_ms();
	struct stat st;
	bool same;

	if (f->known && (t->set->reach == TABLES_FROZEN || now - f->checked_ms < LOOK_AGAIN_MS))
		return 0;
	if (stat(path, &st) != 0)
		return -1;
	same = f->known && f->dev == st.st_dev && f->ino == st.st_ino && f->size == (uint64_t)st.st_size &&
	       f->mtime_ns == st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	f->known = true;
	f->checked_ms = now;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->size = (uint64_t)st.st_size;
	f->mtime_ns = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	return !same;
}

bool table_read_file(struct table *t, const char *path, struct buf *text, struct buf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = -1;

	while (fd >= 0) {
		char *at = buf_reserve(text, 65536);

		if (at == NULL)
			errno = EFBIG;
		n = at ? read(fd, at, 65536) : -1;
		if (n > 0)
			buf_commit(text, (size_t)n);
		else if (n == 0 || errno != EINTR)
			break;
	}
	if (n < 0)
		buf_addf(why, "%s: cannot read %s: %s%s", t->spec, path, strerror(errno),
			errno == ENOENT ? "; create it, or take the table out of main.cf" : "");
	if (fd >= 0)
		close(fd);
	return n == 0;
}
