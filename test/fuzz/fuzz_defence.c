/*
 * What authd reads of failed logins: the file of a process before it, and entries that other nodes wrote. Oracle: what is
 * read is written again in a form that is read again, and nobody is counted for what is not there.
 */
#include "../../src/authd/share.h"
#include "../../src/authd/state_file.h"
#include "../../src/base/log.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_MS = 1000000 };

static struct defence *new_defence(struct defence *d)
{
	const struct defence_settings set = { .is_on = true,
		.half_life_ms = 1000,
		.hold_after = 2,
		.refuse_pair_after = 3,
		.refuse_network_after = 3,
		.hold_max = 8,
		.known_days = 60,
		.narrow = { 32, 64 },
		.wide = { 24, 48 },
		.shared = "" };

	defence_init(d, &set, 64, "0123456789abcdef");
	return d;
}

static void read_state(struct str text)
{
	struct defence a, b;
	struct state_cursor c = { 0 };
	struct buf out = BUF_INIT(1 << 20);
	struct str halves[2], body;
	uint64_t n;
	bool damaged;
	const char *why;

	halves[0] = str_sub(text, 0, text.n / 2);
	halves[1] = str_from(text, text.n / 2);
	state_file_choose(halves, &body, &n, &damaged);
	/* Its secret is right, or it would be read no further. */
	buf_addf(&out, "secret\t%llx\n", (unsigned long long)str_hash_keyed(STR("secret"), "0123456789abcdef"));
	buf_add_str(&out, text);
	defence_state_read(new_defence(&a), buf_str(&out), NOW_MS, &why);
	buf_reset(&out);
	while (!defence_state_write(&a, &c, 50, NOW_MS, &out))
		;
	require(defence_state_read(new_defence(&b), buf_str(&out), NOW_MS, &why) == 0);
	buf_free(&out);
	defence_free(&a);
	defence_free(&b);
}

static void read_entry(struct str text)
{
	struct arena *mem = arena_new(0);
	struct str field[2 * SHARE_FIELDS], again[SHARE_FIELDS];
	struct defence_event e, e2;
	struct defence d;
	uint64_t node, node2;
	size_t n = 0;

	while (n < sizeof field / sizeof *field && str_field(&text, "\n", &field[n]))
		n++;
	if (share_read(field, n, &e, &node) == 0) {
		share_write(&e, node, mem, again);
		require(share_read(again, SHARE_FIELDS, &e2, &node2) == 0 && node2 == node && e2.news == e.news);
		defence_apply(new_defence(&d), &e, NOW_MS);
		defence_free(&d);
	}
	arena_free(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_quiet;

	if (!is_quiet)
		log_open(LOG_TO_FD, "fuzz", open("/dev/null", O_WRONLY), 0);
	is_quiet = true;
	if (size == 0)
		return 0;
	if (data[0] % 2)
		read_state(str_pn(data + 1, size - 1));
	else
		read_entry(str_pn(data + 1, size - 1));
	return 0;
}
