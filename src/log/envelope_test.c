#include "log/envelope.h"
#include "base/ipc.h"
#include "base/test.h"

#include <stdlib.h>

static struct envelope_rcpt rcpts[] = {
	{ 0, NOTIFY_SUCCESS | NOTIFY_FAILURE, { "a@x.example", 11 }, { "alias@x.example", 15 },
		{ "rfc822;a+2Bb@x", 14 }, 0, false },
	{ 7, 0, { "\xC3\xBC@x.example", 12 }, { "", 0 }, { "", 0 }, 1396566060, true },
};
static struct extent extents[] = { { 5, 4120, 65536 }, { 5, 69680, 12 }, { UINT64_MAX, UINT64_MAX, UINT32_MAX } };

static struct envelope sample(void)
{
	return (struct envelope){ .id = 0x6B02C9F700001,
		.arrival_us = 1700000000123456,
		.size = 65548,
		.flags = ENV_8BIT | ENV_RET_HDRS,
		.sender = STR("s@y.example"),
		.envid = STR("QQ+2B"),
		.auth = STR("<>"),
		.solicit = STR("org.example:ADV"),
		.priority = -9,
		.deliver_by_us = 1700000600000000,
		.hold_until_us = 1700000300000000,
		.hold_for_s = 300,
		.sasl_username = STR("john"),
		.sasl_method = STR("PLAIN"),
		.client_name = STR("c.example"),
		.client_addr = STR("192.0.2.1"),
		.helo = STR("h"),
		.proto = STR("ESMTPSA"),
		.rcpt = rcpts,
		.n_rcpt = 2,
		.extent = extents,
		.n_extent = 3,
		.unknown = { "\xC8\x03\0\0\0abc", 8 } };
}

static void check_same(const struct envelope *e, const struct envelope *must)
{
	check(e->id == must->id && e->arrival_us == must->arrival_us && e->size == must->size &&
		e->flags == must->flags);
	check(str_eq(e->solicit, must->solicit));
	check_int(e->priority, must->priority);
	check(e->deliver_by_us == must->deliver_by_us && e->hold_until_us == must->hold_until_us);
	check_int(e->hold_for_s, must->hold_for_s);
	check(str_eq(e->sender, must->sender) && str_eq(e->envid, must->envid) && str_eq(e->auth, must->auth));
	check(str_eq(e->sasl_username, must->sasl_username) && str_eq(e->sasl_method, must->sasl_method));
	check(str_eq(e->client_name, must->client_name) && str_eq(e->client_addr, must->client_addr));
	check(str_eq(e->helo, must->helo) && str_eq(e->proto, must->proto) && str_eq(e->unknown, must->unknown));
	check_int(e->n_rcpt, must->n_rcpt);
	check_int(e->n_extent, must->n_extent);
	for (size_t i = 0; i < e->n_rcpt; i++) {
		check(e->rcpt[i].index == must->rcpt[i].index && e->rcpt[i].notify == must->rcpt[i].notify);
		check_int(e->rcpt[i].valid_since, must->rcpt[i].valid_since);
		check_int(e->rcpt[i].since_may_end, must->rcpt[i].since_may_end);
		check(str_eq(e->rcpt[i].address, must->rcpt[i].address));
		check(str_eq(e->rcpt[i].original, must->rcpt[i].original));
		check(str_eq(e->rcpt[i].orcpt, must->rcpt[i].orcpt));
	}
	for (size_t i = 0; i < e->n_extent; i++)
		check(e->extent[i].generation == must->extent[i].generation &&
			e->extent[i].offset == must->extent[i].offset && e->extent[i].octets == must->extent[i].octets);
}

static void test_round_trip(void **state)
{
	struct envelope must = sample(), least = { .id = 1 }, e;
	struct buf b = BUF_INIT(65536);
	struct arena *mem = arena_new(0);

	(void)state;
	envelope_encode(&b, &must);
	check_int(envelope_decode(buf_str(&b), mem, &e), 0);
	check_same(&e, &must);
	buf_reset(&b);
	envelope_encode(&b, &least);
	check_int(envelope_decode(buf_str(&b), mem, &e), 0);
	check_same(&e, &least);
	arena_free(&mem);
	buf_free(&b);
}

/* Unknown attributes between the known ones come through two generations of readers. */
static void test_unknown(void **state)
{
	struct envelope must = sample(), e, again;
	struct buf b = BUF_INIT(65536), c = BUF_INIT(65536);
	struct arena *mem = arena_new(0);

	(void)state;
	ipc_put_u8(&b, 99);
	ipc_put_str(&b, STR("first"));
	envelope_encode(&b, &must);
	ipc_put_u8(&b, 255);
	ipc_put_str(&b, STR(""));
	check_int(envelope_decode(buf_str(&b), mem, &e), 0);
	check_int(e.unknown.n, 10 + 8 + 5);
	envelope_encode(&c, &e);
	check_int(envelope_decode(buf_str(&c), mem, &again), 0);
	check_same(&again, &e);
	arena_free(&mem);
	buf_free(&b);
	buf_free(&c);
}

/* Cut anywhere: an error, or (between attributes) a shorter envelope; never a read past the end. */
static void test_cut(void **state)
{
	struct envelope must = sample(), e;
	struct buf b = BUF_INIT(65536);
	unsigned good = 0;

	(void)state;
	envelope_encode(&b, &must);
	for (size_t n = 0; n < b.n; n++) {
		struct arena *mem = arena_new(0);
		char *copy = xcalloc(1, n ? n : 1);

		memcpy(copy, b.p, n);
		good += envelope_decode(str_pn(copy, n), mem, &e) == 0;
		free(copy);
		arena_free(&mem);
	}
	check_int(good, 22); /* one between each two of its attributes, the id being there */
	buf_free(&b);
}

static void test_malformed(void **state)
{
	static const struct {
		struct str octets;
	} cases[] = {
		{ { "", 0 } },
		{ { "\0\0\0\0\0", 5 } },
		{ { "\1\4\0\0\0\1\0\0\0", 9 } },					    /* a short id */
		{ { "\1\x8\0\0\0\1\0\0\0\0\0\0\0\x0F\x13\0\0\0xxxxxxxxxxxxxxxxxxx", 37 } }, /* 19 octets of extent */
		{ { "\1\x8\0\0\0\1\0\0\0\0\0\0\0\x0E\x05\0\0\0xxxxx", 23 } }, /* a recipient without address */
		{ { "\1\x8\0\0\0\0\0\0\0\0\0\0\0", 13 } },		      /* id 0 */
		{ { "\5\xFF\xFF\xFF\xFFx", 6 } },
	};
	struct envelope e;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);

		check_int(envelope_decode(cases[i].octets, mem, &e), -1);
		arena_free(&mem);
	}
}

static void test_id(void **state)
{
	static const struct {
		uint64_t id;
		const char *text;
	} cases[] = { { 1, "0000000001" }, { 0x6B02C9F700001, "6B02C9F700001" }, { UINT64_MAX, "FFFFFFFFFFFFFFFF" } };
	static const char *const bad[] = { "", "1", "000000001", "6b02c9f700001", "6B02C9F70000G", "10000000000000000",
		"0000000000", "6B02C9F700001*" };
	char text[ENVELOPE_ID_TEXT];
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_str(str_c(envelope_id_text(cases[i].id, text)), cases[i].text);
		check(envelope_id_parse(str_c(text), &id));
		check(id == cases[i].id);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check(!envelope_id_parse(str_c(bad[i]), &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_id),
	};

	return test_run(tests);
}
