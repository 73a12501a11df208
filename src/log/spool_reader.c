#include "log/spool_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct open_segment {
	uint64_t generation;
	int fd;
};
struct segment_set {
	struct open_segment *at; /* by generation, ascending */
	size_t n, cap;
};

struct segment_set *segment_set_new(void)
{
	return xcalloc(1, sizeof(struct segment_set));
}

/* Where it is, or where it belongs. */
static size_t place_of(const struct segment_set *s, uint64_t generation)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->at[mid].generation < generation)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void segment_set_add(struct segment_set *s, uint64_t generation, int fd)
{
	size_t i = place_of(s, generation);

	if (i < s->n && s->at[i].generation == generation) {
		close(s->at[i].fd);
		s->at[i].fd = fd;
		return;
	}
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->at = xrealloc(s->at, s->cap * sizeof *s->at);
	}
	memmove(s->at + i + 1, s->at + i, (s->n - i) * sizeof *s->at);
	s->at[i] = (struct open_segment){ generation, fd };
	s->n++;
}

void segment_set_drop(struct segment_set *s, uint64_t generation)
{
	size_t i = place_of(s, generation);

	if (i == s->n || s->at[i].generation != generation)
		return;
	close(s->at[i].fd);
	s->n--;
	memmove(s->at + i, s->at + i + 1, (s->n - i) * sizeof *s->at);
}

int segment_set_fd(const struct segment_set *s, uint64_t generation)
{
	size_t i = place_of(s, generation);

	return i < s->n && s->at[i].generation == generation ? s->at[i].fd : -1;
}

void segment_set_free(struct segment_set **s)
{
	if (*s == NULL)
		return;
	for (size_t i = 0; i < (*s)->n; i++)
		close((*s)->at[i].fd);
	free((*s)->at);
	free(*s);
	*s = NULL;
}

static int read_extent(int fd, const struct extent *x, uint64_t from, char *p, size_t n)
{
	uint64_t at = x->offset + from;

	while (n > 0) {
		ssize_t r = pread(fd, p, n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			return -EIO;
		p += r;
		n -= (size_t)r;
		at += (uint64_t)r;
	}
	return 0;
}

ssize_t extents_read(const struct segment_set *s, const struct envelope *e, uint64_t from, void *p, size_t n)
{
	size_t got = 0;

	for (size_t i = 0; i < e->n_extent && got < n; i++) {
		const struct extent *x = &e->extent[i];
		size_t want = n - got;
		int fd, err;

		if (from >= x->octets) {
			from -= x->octets;
			continue;
		}
		if (want > x->octets - from)
			want = (size_t)(x->octets - from);
		fd = segment_set_fd(s, x->generation);
		if (fd < 0)
			return -ESTALE;
		err = read_extent(fd, x, from, (char *)p + got, want);
		if (err != 0)
			return err;
		got += want;
		from = 0;
	}
	return (ssize_t)got;
}

uint64_t extents_octets(const struct envelope *e)
{
	uint64_t n = 0;

	for (size_t i = 0; i < e->n_extent; i++)
		n += e->extent[i].octets;
	return n;
}

size_t dot_unstuff(char *p, size_t n, bool *at_line_start)
{
	size_t from = 0, to = 0;

	while (from < n) {
		const char *lf;
		size_t line;

		if (*at_line_start && p[from] == '.')
			from++; /* RFC 5321 sec. 4.5.2 */
		*at_line_start = false;
		lf = from < n ? memchr(p + from, '\n', n - from) : NULL;
		line = lf ? (size_t)(lf - (p + from)) + 1 : n - from;
		if (to != from)
			memmove(p + to, p + from, line);
		to += line;
		from += line;
		*at_line_start = lf != NULL;
	}
	return to;
}
