#include "map/match.h"
#include "base/log.h"
#include "base/utf8.h"
#include "map/map_client.h"
#include "map/map_text.h"
#include "smtp/address.h"

#include <errno.h>
#include <stdlib.h>

enum { FILE_DEPTH_MAX = 8 };

enum entry_kind { ENTRY_NAME, ENTRY_NET, ENTRY_TABLE, ENTRY_BROKEN };
struct entry {
	enum entry_kind kind;
	bool negate;
	struct str name; /* NAME: in lower case; BROKEN: what is wrong */
	struct net net;
	struct table *table;
};

struct match_list {
	struct arena *mem;
	enum match_how how;
	struct table_set *set;
	struct table_set *own; /* the same, when it was made for this list */
	struct entry *entries;
	size_t n;
};

static void add_text(struct match_list *m, struct str text, bool negate, unsigned depth);

static struct entry *add(struct match_list *m, enum entry_kind kind, bool negate)
{
	m->entries = xrealloc(m->entries, (m->n + 1) * sizeof *m->entries);
	m->entries[m->n] = (struct entry){ .kind = kind, .negate = negate };
	return &m->entries[m->n++];
}

static void add_file(struct match_list *m, struct str path, bool negate, unsigned depth)
{
	struct buf text = BUF_INIT(TABLE_FILE_MAX), why = BUF_INIT(TABLE_WHY_MAX);
	char list[] = "match list", *name = arena_cdup(m->mem, path);
	struct table probe = { .set = m->set, .spec = list };
	struct map_lines lines;
	struct str line;

	if (depth < FILE_DEPTH_MAX && table_read_file(&probe, name, &text, &why)) {
		map_lines_begin(&lines, buf_str(&text));
		while (map_lines_next(&lines, &line))
			add_text(m, line, negate, depth + 1);
		map_lines_end(&lines);
	} else {
		add(m, ENTRY_BROKEN, negate)->name =
			arena_dup(m->mem, why.n ? buf_str(&why) : STR("files within files"));
	}
	buf_free(&text);
	buf_free(&why);
}

static bool looks_like_net(struct str word)
{
	bool digits = word.n > 0;

	if (word.n && word.p[0] == '[')
		return true;
	for (size_t i = 0; i < word.n; i++)
		digits = digits && (ascii_is_digit(word.p[i]) || word.p[i] == '.' || word.p[i] == '/');
	return digits && str_chr(word, '.') >= 0;
}

static void add_word(struct match_list *m, struct str word, bool negate, unsigned depth)
{
	struct net net;
	int e;

	for (; word.n && word.p[0] == '!'; word = str_from(word, 1))
		negate = !negate;
	e = net_parse(word, &net);
	if (e == 0) {
		add(m, ENTRY_NET, negate)->net = net;
	} else if (e == -NET_EHOST || looks_like_net(word)) {
		char meant[64] = "like 192.0.2.0/24 or [2001:db8::]/32";

		if (e == -NET_EHOST)
			net_text(&net, meant);
		add(m, ENTRY_BROKEN, negate)->name =
			str_c(arena_printf(m->mem, "\"%.*s\" is no network; write it %s", STR_ARG(word), meant));
	} else if (word.n && word.p[0] == '/') {
		add_file(m, word, negate, depth);
	} else if (table_is_spec(word)) {
		struct entry *entry = add(m, ENTRY_TABLE, negate);

		entry->table = table_get_own(m->set, word);
	} else if (word.n) {
		char *name = arena_cdup(m->mem, word);

		for (size_t i = 0; i < word.n; i++)
			name[i] = ascii_lower(name[i]);
		add(m, ENTRY_NAME, negate)->name = (struct str){ name, word.n };
	}
}

static void add_text(struct match_list *m, struct str text, bool negate, unsigned depth)
{
	struct str word;

	while (map_word(&text, &word))
		add_word(m, map_unbrace(word), negate, depth);
}

struct match_list *match_list_make(struct str list, struct table_set *set, enum match_how how)
{
	struct match_list *m = xcalloc(1, sizeof *m);

	m->mem = arena_new(512);
	m->how = how;
	m->set = set;
	add_text(m, list, false, 0);
	return m;
}

void match_list_free(struct match_list **m)
{
	if (*m == NULL)
		return;
	table_set_free(&(*m)->own);
	arena_free(&(*m)->mem);
	free((*m)->entries);
	free(*m);
	*m = NULL;
}

bool match_list_is_empty(const struct match_list *m)
{
	return m->n == 0;
}

static bool name_fits(const struct match_list *m, struct str name, struct str host)
{
	if (str_ieq(name, host))
		return true;
	if (m->how == MATCH_EXACT || host.n <= name.n)
		return false;
	if (name.n && name.p[0] == '.')
		return str_has_isuffix(host, name);
	return m->how == MATCH_PARENT && str_has_isuffix(host, name) && host.p[host.n - name.n - 1] == '.';
}

/* Next parent of a host, in the form of the list: "a.b" of "x.a.b", or ".a.b". n == 0: none. */
static struct str parent(const struct match_list *m, struct str host)
{
	ptrdiff_t dot = str_chr(host.n ? str_from(host, 1) : host, '.');

	if (m->how == MATCH_EXACT || dot < 0)
		return str_from(host, host.n);
	return str_from(host, (size_t)dot + 1 + (m->how == MATCH_PARENT));
}

static enum map_status table_fits(
	const struct match_list *m, struct table *t, struct str host, const struct net *address, struct buf *why)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum map_status status = MAP_NOT_FOUND;
	char text[64];

	for (; host.n && status == MAP_NOT_FOUND; host = parent(m, host)) {
		status = table_find(t, host, &value, why);
		if (t->type->flags & TABLE_PATTERN)
			break;
	}
	if (status == MAP_NOT_FOUND && address) {
		net_text(address, text);
		status = table_find(t, str_c(text), &value, why);
	}
	buf_free(&value);
	return status;
}

static enum map_status entry_fits(
	const struct match_list *m, const struct entry *e, struct str host, const struct net *address, struct buf *why)
{
	switch (e->kind) {
	case ENTRY_NAME:
		return host.n && name_fits(m, e->name, host) ? MAP_FOUND : MAP_NOT_FOUND;
	case ENTRY_NET:
		return address && net_has(&e->net, address) ? MAP_FOUND : MAP_NOT_FOUND;
	case ENTRY_TABLE:
		return table_fits(m, e->table, host, address, why);
	case ENTRY_BROKEN:
		break;
	}
	buf_reset(why);
	buf_add_str(why, e->name);
	return table_set_reach(m->set) == TABLES_LOCAL ? MAP_ELSEWHERE : MAP_TEMPORARY;
}

enum map_status match_list_find(const struct match_list *m, struct str host, const struct net *address, struct buf *why)
{
	for (size_t i = 0; i < m->n; i++) {
		enum map_status status = entry_fits(m, &m->entries[i], host, address, why);

		if (status == MAP_FOUND)
			return m->entries[i].negate ? MAP_NOT_FOUND : MAP_FOUND;
		if (status != MAP_NOT_FOUND)
			return status;
	}
	return MAP_NOT_FOUND;
}

/* Read every table while files may be opened, and say now what will not work later. */
static void preload(struct match_list *m)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX), why = BUF_INIT(TABLE_WHY_MAX), lines = BUF_INIT(1 << 20);
	struct str line, rest;

	for (size_t i = 0; i < m->n; i++) {
		const struct entry *e = &m->entries[i];

		if (e->kind == ENTRY_BROKEN)
			log_error("%.*s; the entry is left out", STR_ARG(e->name));
		else if (e->kind == ENTRY_TABLE &&
			 table_find(e->table, STR("localhost"), &value, &why) == MAP_TEMPORARY)
			log_error("%.*s", STR_ARG(buf_str(&why)));
	}
	table_set_notices(m->set, &lines);
	rest = buf_str(&lines);
	while (str_word(&rest, "\n", &line))
		log_warn("%.*s", STR_ARG(line));
	buf_free(&value);
	buf_free(&why);
	buf_free(&lines);
}

struct match_list *match_list_new(struct str list)
{
	struct table_set *set = table_set_new(TABLES_FROZEN, "");
	struct match_list *m = match_list_make(list, set, MATCH_PARENT);

	m->own = set;
	preload(m);
	return m;
}

/* What cannot be decided is not in the list: the lists give rights. An exception that cannot be decided takes them. */
static bool decide(const struct match_list *m, struct str host, struct str other_form, const struct net *address)
{
	struct buf why = BUF_INIT(TABLE_WHY_MAX);
	bool in = false;

	for (size_t i = 0; i < m->n; i++) {
		const struct entry *e = &m->entries[i];
		enum map_status status = entry_fits(m, e, host, address, &why);

		if (status == MAP_NOT_FOUND && other_form.n > 0)
			status = entry_fits(m, e, other_form, address, &why);
		if (status == MAP_NOT_FOUND || (status == MAP_TEMPORARY && !e->negate))
			continue;
		in = status == MAP_FOUND && !e->negate;
		break;
	}
	buf_free(&why);
	return in;
}

bool match_list_addr(const struct match_list *m, const struct sockaddr *addr)
{
	struct net net;

	return net_of_sockaddr(addr, &net) && decide(m, STR(""), STR(""), &net);
}

static bool decide_host(const struct match_list *m, struct str host, struct str other_form)
{
	struct net net;
	bool is_address = net_parse(host, &net) == 0 && net.bits == net.n * 8;

	return decide(m, host, other_form, is_address ? &net : NULL);
}

bool match_list_host(const struct match_list *m, struct str host)
{
	return decide_host(m, host, STR(""));
}

bool match_list_domain(const struct match_list *m, struct str domain)
{
	struct buf other = BUF_INIT(1024);
	int r = str_is_8bit(domain) ? domain_to_ascii(domain, &other) : domain_to_unicode(domain, &other);
	bool in = decide_host(m, domain, r == 0 ? buf_str(&other) : STR(""));

	buf_free(&other);
	return in;
}
