/* Packets as they come from the wire, whole and octet by octet; packets as they are made. */
#include "milter/packet.h"
#include "base/test.h"

#include <stdlib.h>

#define ROW(octets, result, command, data, behind)                           \
	{                                                                    \
		{ octets, sizeof octets - 1 }, result, command, data, behind \
	}

static const struct {
	struct str in;
	int result;
	char command;
	const char *data;
	size_t behind;
} cases[] = {
	ROW("\0\0\0\1c", 1, 'c', "", 0),
	ROW("\0\0\0\1c\0\0\0\1p", 1, 'c', "", 5),
	ROW("\0\0\0\5qabcd", 1, 'q', "abcd", 0),
	ROW("\0\0\0\0", -1, 0, "", 0),
	ROW("\0\0\0\0c", -1, 0, "", 1),
	ROW("\0\1\0\1c", -1, 0, "", 0),
	ROW("\xff\xff\xff\xff", -1, 0, "", 0),
	ROW("220 mx.example ESMTP\r\n", -1, 0, "", 0),
	ROW("\0\0\0\2c", 0, 0, "", 0),
	ROW("\0\0\0", 0, 0, "", 0),
	ROW("", 0, 0, "", 0),
};

static void test_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct milter_packet p;
		size_t used;

		check_int(milter_packet_next(cases[i].in, &used, &p), cases[i].result);
		if (cases[i].result != 1)
			continue;
		check_int(p.command, cases[i].command);
		check_str(p.data, cases[i].data);
		check_int(cases[i].in.n - used, cases[i].behind);
	}
}

/* "Need more" until the result of the whole, and no result before. */
static void test_grains(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct milter_packet p;
		size_t used, n;
		int r = 0;

		for (n = 0; n <= cases[i].in.n && r == 0; n++)
			r = milter_packet_next(str_sub(cases[i].in, 0, n), &used, &p);
		check_int(r, cases[i].result);
		if (r == 1) {
			check_int(used, n - 1);
			check_str(p.data, cases[i].data);
		}
	}
}

static void test_made(void **state)
{
	struct buf out = BUF_INIT(4 * MILTER_WIRE_OCTETS);
	char *large = calloc(1, MILTER_PACKET_OCTETS + 1);
	struct milter_packet p;
	size_t used, start;

	(void)state;
	start = milter_packet_begin(&out, 'C');
	milter_put_text(&out, str_pn("host\0name", 9)); /* a NUL ends it */
	milter_put_octets(&out, STR("4"));
	milter_put_u16(&out, 25);
	milter_put_u32(&out, 0x01020304);
	check_int(milter_packet_end(&out, start), 0);
	milter_put_command(&out, MILTER_QUIT);
	check(str_eq(buf_str(&out), str_pn("\0\0\0\x0d"
					   "Chost\0"
					   "4\0\x19\1\2\3\4\0\0\0\1Q",
					    22)));

	/* the longest, and one that is too long: nothing of it stays */
	buf_reset(&out);
	start = milter_packet_begin(&out, 'B');
	milter_put_octets(&out, str_pn(large, MILTER_BODY_OCTETS));
	check_int(milter_packet_end(&out, start), 0);
	check_int(out.n, MILTER_WIRE_OCTETS);
	check_int(milter_packet_next(buf_str(&out), &used, &p), 1);
	check_int(p.data.n, MILTER_BODY_OCTETS);
	start = milter_packet_begin(&out, 'B');
	milter_put_octets(&out, str_pn(large, MILTER_BODY_OCTETS + 1));
	check_int(milter_packet_end(&out, start), -1);
	check_int(out.n, MILTER_WIRE_OCTETS);
	buf_free(&out);

	/* no room in the buffer */
	out = BUF_INIT(20);
	start = milter_packet_begin(&out, 'H');
	milter_put_text(&out, STR("a name that is too long for it"));
	check_int(milter_packet_end(&out, start), -1);
	check_int(out.n, 0);
	buf_free(&out);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_packets), cmocka_unit_test(test_grains),
		cmocka_unit_test(test_made) };

	return test_run(tests);
}
