/* CACHE-FLUSH and CACHE-STATUS on a master socket. */
#include "authd/users_impl.h"

#include "auth/auth_proto.h"

enum { MASKS_MAX = 256 };

/* CACHE-FLUSH <id> [<mask> …]: all, or the users that a mask fits. */
int users_cache_flush(struct client *c, uint32_t id, struct str rest)
{
	struct arena *mem = arena_new(0);
	struct str *mask = arena_array(mem, MASKS_MAX, sizeof *mask), field;
	size_t n = 0;

	while (n < MASKS_MAX && auth_field(&rest, &field))
		mask[n++] = auth_unescape(mem, field);
	/* What a hash said is kept under no name: forgetting more of it than was asked for is only slower. */
	verdicts_flush(c->authd->verdicts);
	buf_addf(&c->out, "OK\t%u\t%zu\n", id,
		n ? row_cache_flush_users(c->authd->cache, mask, n) : row_cache_flush(c->authd->cache));
	arena_free(&mem);
	client_send_soon(c);
	return 0;
}

/* CACHE-STATUS <id> [reset] */
int users_cache_status(struct client *c, uint32_t id, struct str rest)
{
	struct row_cache_status s;
	struct str field;

	row_cache_status(c->authd->cache, &s);
	buf_addf(&c->out, "OK\t%u", id);
	if (c->authd->cache)
		buf_addf(&c->out,
			"\thits=%llu\tmisses=%llu\tpos_entries=%zu\tneg_entries=%zu\tpos_size=%llu\tneg_size=%llu"
			"\tused_size=%llu\tmax_size=%llu",
			(unsigned long long)s.hits, (unsigned long long)s.misses, s.positive, s.negative,
			(unsigned long long)s.positive_octets, (unsigned long long)s.negative_octets,
			(unsigned long long)(s.positive_octets + s.negative_octets), (unsigned long long)s.max_octets);
	buf_add_char(&c->out, '\n');
	if (auth_field(&rest, &field) && str_eq(field, STR("reset")))
		row_cache_reset_counts(c->authd->cache);
	client_send_soon(c);
	return 0;
}
