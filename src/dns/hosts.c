#include "dns/hosts.h"

#include "base/buf.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { HOSTS_MAX_OCTETS = 16 * 1024 * 1024 };

struct host_entry {
	struct str name; /* lower case */
	uint32_t order;	 /* position in the file */
	bool first;	 /* the canonical name of its line */
	struct sockaddr_storage addr;
};

struct hosts {
	struct arena *mem;
	struct host_entry *by_name; /* sorted by name, then order */
	size_t n, cap;
};

socklen_t addr_length(const struct sockaddr *addr)
{
	return addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

bool addr_eq(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)(const void *)a)->sin_addr,
			       &((const struct sockaddr_in *)(const void *)b)->sin_addr, 4) == 0;
	return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
		       &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, 16) == 0;
}

bool addr_parse(struct str text, struct sockaddr_storage *addr)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)addr;
	char c[INET6_ADDRSTRLEN + 1];

	memset(addr, 0, sizeof *addr);
	if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = str_sub(text, 1, text.n - 2);
	if (str_has_iprefix(text, STR("IPv6:"))) /* RFC 5321 sec. 4.1.3 */
		text = str_from(text, 5);
	if (text.n == 0 || text.n >= sizeof c || memchr(text.p, 0, text.n))
		return false;
	memcpy(c, text.p, text.n);
	c[text.n] = '\0';
	if (inet_pton(AF_INET, c, &v4->sin_addr) == 1) {
		addr->ss_family = AF_INET;
		return true;
	}
	memset(addr, 0, sizeof *addr);
	if (inet_pton(AF_INET6, c, &v6->sin6_addr) != 1)
		return false;
	addr->ss_family = AF_INET6;
	return true;
}

static struct str lower_dup(struct arena *mem, struct str s)
{
	char *p = arena_alloc(mem, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(s.p[i]);
	return (struct str){ p, s.n };
}

static void add(struct hosts *h, struct str name, const struct sockaddr_storage *addr, bool first)
{
	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 32;
		h->by_name = xrealloc(h->by_name, h->cap * sizeof *h->by_name);
	}
	h->by_name[h->n] = (struct host_entry){ lower_dup(h->mem, name), (uint32_t)h->n, first, *addr };
	h->n++;
}

static void take_line(struct hosts *h, struct str line)
{
	struct sockaddr_storage addr;
	ptrdiff_t comment = str_chr(line, '#');
	struct str word;
	bool first = true;

	if (comment >= 0)
		line = str_sub(line, 0, (size_t)comment);
	if (!str_word(&line, " \t\r", &word) || !addr_parse(word, &addr))
		return;
	while (str_word(&line, " \t\r", &word)) {
		if (word.n <= 255)
			add(h, word, &addr, first);
		first = false;
	}
}

static int compare(const void *pa, const void *pb)
{
	const struct host_entry *a = pa, *b = pb;
	int by_name = str_cmp(a->name, b->name);

	return by_name ? by_name : a->order < b->order ? -1 : a->order > b->order;
}

struct hosts *hosts_parse(struct str text)
{
	const struct str localhost = STR("localhost"), always[] = { STR("127.0.0.1"), STR("::1") };
	struct hosts *h = xcalloc(1, sizeof *h);
	struct sockaddr_storage addr, have;
	struct str line;

	h->mem = arena_new(0);
	while (str_field(&text, "\n", &line))
		take_line(h, line);
	if (h->n > 0)
		qsort(h->by_name, h->n, sizeof *h->by_name, compare);
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		if (addr_parse(always[i], &addr) && !hosts_addr(h, localhost, addr.ss_family, 0, &have)) {
			add(h, localhost, &addr, true);
			qsort(h->by_name, h->n, sizeof *h->by_name, compare);
		}
	return h;
}

struct hosts *hosts_read(const char *path)
{
	struct buf text = BUF_INIT(HOSTS_MAX_OCTETS);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct hosts *h;
	ssize_t n = 0;
	char *p;

	while (fd >= 0 && (p = buf_reserve(&text, 16 * 1024)) && (n = read(fd, p, 16 * 1024)) > 0)
		buf_commit(&text, (size_t)n);
	if (fd >= 0)
		close(fd);
	h = hosts_parse(buf_str(&text));
	buf_free(&text);
	return h;
}

void hosts_free(struct hosts **h)
{
	if (*h == NULL)
		return;
	free((*h)->by_name);
	arena_free(&(*h)->mem);
	free(*h);
	*h = NULL;
}

bool hosts_addr(const struct hosts *h, struct str name, int family, size_t n, struct sockaddr_storage *addr)
{
	size_t low = 0, high = h->n;
	char lower[256];

	if (name.n == 0 || name.n > sizeof lower)
		return false;
	for (size_t i = 0; i < name.n; i++)
		lower[i] = ascii_lower(name.p[i]);
	name.p = lower;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (str_cmp(h->by_name[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < h->n && str_eq(h->by_name[low].name, name); low++)
		if (h->by_name[low].addr.ss_family == family && n-- == 0) {
			*addr = h->by_name[low].addr;
			return true;
		}
	return false;
}

struct str hosts_name(const struct hosts *h, const struct sockaddr *addr)
{
	const struct host_entry *best = NULL;

	for (size_t i = 0; i < h->n; i++) {
		const struct host_entry *e = &h->by_name[i];

		if (e->first && addr_eq((const struct sockaddr *)(const void *)&e->addr, addr) &&
			(best == NULL || e->order < best->order))
			best = e;
	}
	return best ? best->name : (struct str){ NULL, 0 };
}
