/*
 * virtual_alias_maps and, of our local domains, alias_maps: an address becomes those that the mail really goes to.
 *
 * An address may expand to itself among others; then it is final. Any other way back to an address that it came from,
 * or too many of them, is a loop, and the caller answers 451.
 */
#include "map/map_text.h"
#include "map/mem_map.h"
#include "map/resolve_impl.h"

/* Addresses on the way from the first one to this. */
struct step {
	struct str address;
	const struct step *up;
	size_t depth;
};

struct item {
	struct str address;
	const struct step *path;
	bool final;
};

struct expansion {
	struct ask *q;
	struct map_answer *answer;
	struct item *todo; /* a stack, so that results come in the order of the tables */
	size_t n_todo, cap;
	size_t seen;		    /* addresses in all */
	const struct step **selves; /* that expanded to themselves */
	size_t n_selves;
	struct mem_map *given; /* of a large alias: its addresses in lower case; NULL: it is none */
};
enum { FEW = 64 }; /* addresses that are compared one by one */

static size_t expansion_limit(const struct expansion *x)
{
	return x->q->r->set.virtual_alias_expansion_limit;
}

static bool is_self(const struct expansion *x, struct str address)
{
	for (size_t i = 0; i < x->n_selves; i++)
		if (str_ieq(x->selves[i]->address, address))
			return true;
	return false;
}

static bool is_above(const struct step *path, struct str address)
{
	for (; path; path = path->up)
		if (str_ieq(path->address, address))
			return true;
	return false;
}

static void *room(struct arena *mem, void *old, size_t n, size_t *cap, size_t size)
{
	void *more;

	if (n < *cap)
		return old;
	*cap = *cap ? *cap * 2 : 8;
	more = arena_array(mem, *cap, size);
	if (n)
		memcpy(more, old, n * size);
	return more;
}

/* False: it is there already. */
static bool add_given(struct expansion *x, struct str address)
{
	char *folded = arena_alloc(x->q->mem, address.n + 1);

	for (size_t i = 0; i < address.n; i++)
		folded[i] = ascii_lower(address.p[i]);
	return mem_map_add(x->given, str_pn(folded, address.n), STR(""));
}

static bool is_new(struct expansion *x, struct str address)
{
	const struct map_answer *a = x->answer;

	if (x->given == NULL && a->n_expanded == FEW) {
		x->given = mem_map_new();
		for (size_t i = 0; i < FEW; i++)
			add_given(x, a->expanded[i]);
	}
	if (x->given)
		return add_given(x, address);
	for (size_t i = 0; i < a->n_expanded; i++)
		if (str_ieq(a->expanded[i], address))
			return false;
	return true;
}

static void give(struct expansion *x, struct str address)
{
	struct map_answer *a = x->answer;

	if (!is_new(x, address))
		return;
	if ((a->n_expanded & (a->n_expanded - 1)) == 0) {
		size_t cap = a->n_expanded;

		a->expanded = room(x->q->mem, a->expanded, a->n_expanded, &cap, sizeof *a->expanded);
	}
	a->expanded[a->n_expanded++] = address;
}

/* Put one result of `from` on the way. False: a loop. */
static bool push(struct expansion *x, struct str address, const struct step *from)
{
	bool self = str_ieq(address, from->address);
	struct item item = { .address = address, .path = from, .final = self || is_self(x, address) };

	if (!item.final && is_above(from->up, address))
		return false;
	if (++x->seen > expansion_limit(x) || from->depth > x->q->r->set.virtual_alias_recursion_limit)
		return false;
	x->todo = room(x->q->mem, x->todo, x->n_todo, &x->cap, sizeof *x->todo);
	x->todo[x->n_todo++] = item;
	return true;
}

static struct str with_extension(struct ask *q, struct str address, struct str extension)
{
	struct address a = address_split(q->r, address);

	if (extension.n == 0)
		return address;
	return str_c(arena_printf(q->mem, "%.*s%.*s%s%.*s", STR_ARG(a.local), STR_ARG(extension), a.domain.n ? "@" : "",
		STR_ARG(a.domain)));
}

/* One address of a table's value, made whole. */
static struct str result_address(struct ask *q, struct str word, const struct address *of, struct str extension)
{
	/* "@other": the same user there (virtual(5)). */
	if (word.n && word.p[0] == '@')
		word = str_c(
			arena_printf(q->mem, "%.*s%.*s", STR_ARG(extension.n ? of->user : of->local), STR_ARG(word)));
	else
		word = arena_dup(q->mem, word);
	return address_complete(q, with_extension(q, word, extension));
}

/* aliases(5) has more than addresses on the right; we deliver to none of these. */
static bool is_address(struct str word)
{
	if (word.n && word.p[0] == '"')
		word = str_from(word, 1);
	return word.n && word.p[0] != '|' && word.p[0] != '/' && !str_has_iprefix(word, STR(":include:"));
}

static bool refuse_word(struct ask *q, struct str name, struct str word)
{
	if (is_address(word))
		return false;
	buf_reset(&q->why);
	buf_addf(&q->why,
		"alias_maps: \"%.*s\" leads to \"%.*s\"; commands, files and :include: are not supported in aliases; "
		"use "
		"addresses only",
		STR_ARG(name), STR_ARG(word));
	return true;
}

/* All results of one hit, in order. FOUND; TEMPORARY: why. */
static enum map_status push_results(
	struct expansion *x, const struct item *item, struct str extension, bool local_alias)
{
	struct ask *q = x->q;
	struct address of = address_split(q->r, item->address);
	struct map_addresses list = { .rest = arena_dup(q->mem, buf_str(&q->value)) };
	struct str word;
	struct step *step = arena_alloc(q->mem, sizeof *step);
	size_t first = x->n_todo;

	*step = (struct step){ item->address, item->path, item->path ? item->path->depth + 1 : 1 };
	while (map_address_next(&list, &word)) {
		bool last = local_alias && word.n > 1 && word.p[0] == '\\'; /* "\name": no alias any more */
		struct str address;

		if (local_alias && refuse_word(q, of.local, word))
			return MAP_TEMPORARY;
		address = result_address(q, last ? str_from(word, 1) : word, &of, extension);
		if (str_ieq(address, item->address) && !is_self(x, address)) {
			const struct step **more = arena_array(q->mem, x->n_selves + 1, sizeof *more);

			if (x->n_selves)
				memcpy(more, x->selves, x->n_selves * sizeof *more);
			more[x->n_selves++] = step;
			x->selves = more;
		}
		if (!push(x, address, step)) {
			x->answer->alias_loop = true;
			return MAP_FOUND;
		}
		x->todo[x->n_todo - 1].final |= last;
	}
	/* The stack gives the last one first. */
	for (size_t i = first, j = x->n_todo; i + 1 < j; i++) {
		struct item swap = x->todo[i];

		x->todo[i] = x->todo[--j];
		x->todo[j] = swap;
	}
	return MAP_FOUND;
}

/* alias_maps: the local part, with its extension and without (local(8)). */
static enum map_status find_alias(struct ask *q, const struct address *a, struct str *extension)
{
	enum map_class class;
	enum map_status status;

	*extension = str_from(a->extension, a->extension.n);
	if (q->r->alias_maps.n == 0)
		return MAP_NOT_FOUND;
	status = resolve_class(q, a->domain, &class);
	if (status != MAP_FOUND || class != CLASS_LOCAL)
		return status == MAP_FOUND ? MAP_NOT_FOUND : status;
	status = find_key(q, &q->r->alias_maps, a->local, false);
	if (status != MAP_NOT_FOUND || a->extension.n == 0)
		return status;
	if (q->r->propagate_alias)
		*extension = a->extension;
	return find_key(q, &q->r->alias_maps, a->user, true);
}

static enum map_status expand_one(struct expansion *x, const struct item *item)
{
	struct ask *q = x->q;
	struct address a = address_split(q->r, item->address);
	bool local_alias = false;
	struct str extension;
	enum map_status status = find_address(q, &q->r->virtual_alias_maps, &a, &extension);

	if (!q->r->propagate_virtual)
		extension.n = 0;
	if (status == MAP_NOT_FOUND) {
		local_alias = true;
		status = find_alias(q, &a, &extension);
	}
	if (status == MAP_FOUND)
		return push_results(x, item, extension, local_alias);
	if (status != MAP_NOT_FOUND)
		return status;
	give(x, item->address);
	return MAP_FOUND;
}

enum map_status resolve_expand(struct ask *q, struct str address, struct map_answer *a)
{
	struct expansion x = { .q = q, .answer = a };
	enum map_status status = MAP_FOUND;

	x.todo = room(q->mem, NULL, 0, &x.cap, sizeof *x.todo);
	x.todo[x.n_todo++] = (struct item){ .address = address };
	while (x.n_todo && status == MAP_FOUND && !a->alias_loop) {
		struct item item = x.todo[--x.n_todo];

		if (item.final)
			give(&x, item.address);
		else
			status = expand_one(&x, &item);
	}
	/* A table's value without an address in it: the mail would vanish. */
	if (status == MAP_FOUND && !a->alias_loop && a->n_expanded == 0)
		give(&x, address);
	mem_map_free(&x.given);
	return status;
}
