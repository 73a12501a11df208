/* Command lines: reading them, cutting them, their paths, parameters and xtext (smtp/command.h). */
#include "base/arena.h"
#include "base/log.h"
#include "smtp/attribute.h"
#include "smtp/command.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void try_params(struct str params)
{
	struct str key, value;
	char *plain;
	size_t n;

	while (smtp_param_next(&params, &key, &value) > 0) {
		plain = xcalloc(value.n + 1, 1);
		if (xtext_decode(value, plain, &n) == 0)
			require(n <= value.n);
		free(plain);
	}
}

static void try_attributes(struct str text, unsigned allowed)
{
	struct arena *mem = arena_new(0);
	struct smtp_attributes a;
	struct str bad;

	if (smtp_attributes_parse(text, allowed, mem, &a, &bad) == 0)
		require(a.given && !(a.given & ~allowed));
	arena_free(&mem);
}

static void try_line(struct str line)
{
	struct smtp_path_arg path;
	struct smtp_command cmd;

	require(str_chr(line, '\r') < 0 && str_chr(line, '\0') < 0);
	smtp_command_parse(line, &cmd);
	try_params(cmd.arg);
	try_attributes(cmd.arg, XCLIENT_ATTRIBUTES);
	try_attributes(cmd.arg, XFORWARD_ATTRIBUTES);
	if (smtp_path_parse(cmd.arg, STR("FROM:"), &path) == 0 || smtp_path_parse(cmd.arg, STR("TO:"), &path) == 0)
		try_params(path.params);
}

/* Read lines, `step` octets more each time; a number that stands for all results. */
static uint64_t read_lines(struct str in, size_t step, bool take_lf, bool try)
{
	struct smtp_line_reader r = { .take_lf = take_lf };
	uint64_t sum = 0;
	size_t have = 0, from = 0, used;
	struct str line;
	int got;

	while (have < in.n) {
		have = have + step < in.n ? have + step : in.n;
		while ((got = smtp_line_next(&r, str_sub(in, from, have - from), 64, &used, &line)) != 0) {
			require(used > 0 && used <= have - from);
			from += used;
			sum = sum * 31 + (uint64_t)(got + 7) + str_hash(line);
			if (got > 0 && try)
				try_line(line);
		}
		from += used;
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_pn(p, n);

	for (int take_lf = 0; take_lf < 2; take_lf++)
		require(read_lines(in, n ? n : 1, take_lf, true) == read_lines(in, 1, take_lf, false));
	return 0;
}
