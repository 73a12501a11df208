#include "milter/head_list.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	for (size_t i = 0; i < x->n && i < y->n; i++) {
		int d = (unsigned char)ascii_lower(x->p[i]) - (unsigned char)ascii_lower(y->p[i]);

		if (d != 0)
			return d;
	}
	return (x->n > y->n) - (x->n < y->n);
}

static struct head_block *add_block(struct head_list *l, struct head_block *behind)
{
	struct head_block *b = arena_alloc(l->mem, sizeof *b);

	if (behind) {
		b->next = behind->next;
		behind->next = b;
	} else {
		l->first = b;
	}
	if (b->next == NULL)
		l->last = b;
	return b;
}

void head_list_init(struct head_list *l, struct arena *mem, struct str *names, size_t n)
{
	*l = (struct head_list){ .mem = mem, .names = names };
	if (n > 0)
		qsort(names, n, sizeof *names, compare);
	for (size_t i = 0; i < n; i++)
		if (l->n_names == 0 || compare(&names[l->n_names - 1], &names[i]) != 0)
			names[l->n_names++] = names[i];
	add_block(l, NULL);
}

uint32_t head_list_name(const struct head_list *l, struct str name)
{
	const struct str *at = l->n_names && name.n ? bsearch(&name, l->names, l->n_names, sizeof name, compare) : NULL;

	return at ? (uint32_t)(at - l->names) + 1 : 0;
}

/* The upper half of a full block gets one of its own. */
static void split(struct head_list *l, struct head_block *b)
{
	struct head_block *upper = add_block(l, b);
	const size_t half = HEAD_BLOCK / 2;

	upper->n = b->n - half;
	upper->kinds = b->kinds;
	memcpy(upper->name, b->name + half, upper->n * sizeof *b->name);
	memcpy(upper->text, b->text + half, upper->n * sizeof *b->text);
	memset(b->name + half, 0, upper->n * sizeof *b->name);
	b->n = half;
}

/* A full last block is left as it is: most headers are only added to. */
static struct head_place place_of(struct head_list *l, size_t position)
{
	struct head_place p = { l->first, position };

	if (position >= l->n)
		p = (struct head_place){ l->last, l->last->n };
	else
		while (p.at > p.block->n) {
			p.at -= p.block->n;
			p.block = p.block->next;
		}
	if (p.block->n < HEAD_BLOCK)
		return p;
	if (p.at == HEAD_BLOCK && p.block == l->last)
		return (struct head_place){ add_block(l, p.block), 0 };
	split(l, p.block);
	return p.at <= p.block->n ? p : (struct head_place){ p.block->next, p.at - p.block->n };
}

void head_list_insert(struct head_list *l, size_t position, uint32_t name, struct str text)
{
	struct head_place p = place_of(l, position);
	struct head_block *b = p.block;

	memmove(b->name + p.at + 1, b->name + p.at, (b->n - p.at) * sizeof *b->name);
	memmove(b->text + p.at + 1, b->text + p.at, (b->n - p.at) * sizeof *b->text);
	b->name[p.at] = name;
	b->text[p.at] = text;
	b->kinds |= (uint64_t)1 << name % 64;
	b->n++;
	l->n++;
}

static size_t count(const struct head_block *b, uint32_t name)
{
	uint32_t n = 0;

	for (size_t i = 0; i < HEAD_BLOCK; i++) /* all of it: the compiler makes vectors of that */
		n += b->name[i] == name;
	return n;
}

struct head_place head_list_find(const struct head_list *l, uint32_t name, size_t index)
{
	for (struct head_block *b = l->first; b && name; b = b->next) {
		size_t here = b->kinds & (uint64_t)1 << name % 64 ? count(b, name) : 0;

		for (size_t i = 0; here >= index; i++)
			if (b->name[i] == name && --index == 0)
				return (struct head_place){ b, i };
		index -= here;
	}
	return (struct head_place){ NULL, 0 };
}

void head_list_delete(struct head_list *l, struct head_place p)
{
	struct head_block *b = p.block;

	b->n--;
	l->n--;
	memmove(b->name + p.at, b->name + p.at + 1, (b->n - p.at) * sizeof *b->name);
	memmove(b->text + p.at, b->text + p.at + 1, (b->n - p.at) * sizeof *b->text);
	b->name[b->n] = 0;
}
