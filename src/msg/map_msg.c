#include "msg/map_msg.h"

enum {
	FIXED_OCTETS = 64,
	EXPANDED_MAX = 65536,
	EXPANDED_MAX_OCTETS = 6 * 1024 * 1024,	    /* as many as a message may have for all its recipients */
	ARENA_MAX_OCTETS = 4 * EXPANDED_MAX_OCTETS, /* what they may take with all that is around them */
	ROOM_MIN = 64
};

static size_t octets(const struct map_answer *a)
{
	size_t n = FIXED_OCTETS + a->why.n + a->value.n + a->service.n + a->nexthop.n;

	for (size_t i = 0; i < a->n_expanded; i++)
		n += 4 + a->expanded[i].n;
	return n;
}

bool map_more_encode(struct buf *out, uint32_t request, struct map_answer *a)
{
	size_t all = octets(a), n = 0, here = 0;

	if (all <= IPC_MAX_OCTETS - 2 || all > EXPANDED_MAX_OCTETS || a->n_expanded > EXPANDED_MAX)
		return false;
	while (n < a->n_expanded && here + 4 + a->expanded[n].n <= IPC_MAX_OCTETS - FIXED_OCTETS)
		here += 4 + a->expanded[n++].n;
	if (n == 0)
		return false;
	ipc_put_u32(out, request);
	ipc_put_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		ipc_put_str(out, a->expanded[i]);
	a->expanded += n;
	a->n_expanded -= n;
	return true;
}

/* Room for so many, when it has always been this much for those before. */
static size_t room_for(size_t n)
{
	size_t room = n > 0 ? ROOM_MIN : 0;

	while (room < n)
		room *= 2;
	return room;
}

int map_more_decode(struct ipc_in *in, struct arena *mem, struct str **all, size_t *n)
{
	uint32_t more = ipc_get_u32(in);
	struct str *joined = *all;

	if (in->bad || more == 0 || more > in->rest.n / 4 || more + *n > EXPANDED_MAX ||
		arena_octets(mem) + in->rest.n > ARENA_MAX_OCTETS)
		return -1;
	if (room_for(*n + more) != room_for(*n)) {
		joined = arena_array(mem, room_for(*n + more), sizeof *joined);
		if (*n > 0)
			memcpy(joined, *all, *n * sizeof *joined);
	}
	for (uint32_t i = 0; i < more; i++)
		joined[*n + i] = arena_dup(mem, ipc_get_str(in));
	*all = joined;
	*n += more;
	return ipc_get_end(in) ? 0 : -1;
}

void map_answer_encode(struct buf *out, uint32_t request, const struct map_answer *a)
{
	const struct map_answer too_long = { .status = MAP_TEMPORARY,
		.class = CLASS_DEFAULT,
		.why = STR("the answer is too long: an alias with so many addresses must be a mailing list") };

	if (octets(a) > IPC_MAX_OCTETS - 2 || a->n_expanded > EXPANDED_MAX)
		a = &too_long;
	ipc_put_u32(out, request);
	ipc_put_u8(out, (uint8_t)a->status);
	ipc_put_u8(out, (uint8_t)a->class);
	ipc_put_u8(out, (uint8_t)((a->exists ? 1u : 0u) | (a->alias_loop ? 2u : 0u)));
	ipc_put_str(out, a->why);
	ipc_put_str(out, a->value);
	ipc_put_str(out, a->service);
	ipc_put_str(out, a->nexthop);
	ipc_put_u32(out, (uint32_t)a->n_expanded);
	for (size_t i = 0; i < a->n_expanded; i++)
		ipc_put_str(out, a->expanded[i]);
}

int map_answer_decode(struct ipc_in *in, struct arena *mem, struct map_answer *a)
{
	uint8_t status = ipc_get_u8(in), class = ipc_get_u8(in), flags = ipc_get_u8(in);
	uint32_t n;

	*a = (struct map_answer){ .status = MAP_TEMPORARY };
	a->why = arena_dup(mem, ipc_get_str(in));
	a->value = arena_dup(mem, ipc_get_str(in));
	a->service = arena_dup(mem, ipc_get_str(in));
	a->nexthop = arena_dup(mem, ipc_get_str(in));
	n = ipc_get_u32(in);
	if (in->bad || n > EXPANDED_MAX || status > MAP_TEMPORARY || class > CLASS_DEFAULT || flags > 3)
		return -1;
	a->status = (enum map_status)status;
	a->class = (enum map_class) class;
	a->exists = flags & 1;
	a->alias_loop = flags & 2;
	a->expanded = arena_array(mem, n, sizeof *a->expanded);
	for (a->n_expanded = 0; a->n_expanded < n && !in->bad; a->n_expanded++)
		a->expanded[a->n_expanded] = arena_dup(mem, ipc_get_str(in));
	return ipc_get_end(in) ? 0 : -1;
}
