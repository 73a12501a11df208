/*
 * What a mail filter may say: the input is its octets. Oracles: the split of the input changes nothing; a reply that is
 * taken has a code of 400 to 599 and lines without control characters; a header that it has changed is fields of lines
 * that end in CRLF, never an empty line, never another field than those that it named.
 */
#include "base/log.h"
#include "milter/answer.h"
#include "milter/head.h"
#include "milter/terms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELD_LIMIT = 4096, HEAD_MAX = 65536, EDITS_MAX = 64 };

#define OWN "Received: by us\r\n\tid 1\r\n"

static const char head[] = OWN "Received: by them\r\nSubject: one\r\n folded\r\nX: y\r\nSubject: two\r\n";

static void check_reply(struct str text)
{
	struct buf lines = BUF_INIT(MILTER_REPLY_OCTETS + 1);
	struct milter_reply r;

	if (milter_reply_parse(text, &r, &lines) == 0) {
		require(r.code >= 400 && r.code <= 599);
		require(lines.n > 0 && lines.p[lines.n - 1] == '\n');
		for (size_t i = 0; i < lines.n; i++)
			require(lines.p[i] == '\n' || (unsigned char)lines.p[i] >= 32);
		require(*r.enhanced == '\0' || r.enhanced[0] - '0' == r.code / 100);
	} else {
		require(lines.n == 0);
	}
	buf_free(&lines);
}

/* Every line ends in CRLF and has no other CR or LF; a field that is not folded has a name. */
static void check_head(struct str text)
{
	while (text.n > 0) {
		ptrdiff_t lf = str_chr(text, '\n');
		struct str line = str_sub(text, 0, (size_t)lf);
		struct milter_field f;
		struct str one;

		require(lf > 1 && line.p[line.n - 1] == '\r');
		line.n--;
		require(str_chr(line, '\r') < 0 && str_chr(line, '\0') < 0);
		one = str_sub(text, 0, (size_t)lf + 1);
		require(line.p[0] == ' ' || line.p[0] == '\t' || (milter_head_next(&one, &f) && f.name.n > 0));
		text = str_from(text, (size_t)lf + 1);
	}
}

static void check_edits(const struct milter_edit *edits, size_t n)
{
	struct buf out = BUF_INIT(HEAD_MAX);
	size_t fields = 0, most = 5 + n;
	struct milter_field f;
	struct str rest;

	if (milter_head_apply(str_c(head), STR(OWN), edits, FIELD_LIMIT, &out) == 0) {
		check_head(buf_str(&out));
		require(memmem(out.p, out.n, OWN, sizeof OWN - 1) != NULL);
		for (rest = buf_str(&out); milter_head_next(&rest, &f);)
			fields++;
		require(fields <= most);
	}
	buf_free(&out);
}

static size_t take_all(struct str in, const struct milter_terms *offer, struct milter_edit *edits)
{
	size_t n = 0, used;
	struct milter_packet p;
	struct milter_terms t;
	struct milter_answer a;

	while (milter_packet_next(in, &used, &p) == 1) {
		in = str_from(in, used);
		if (p.command == MILTER_NEGOTIATE)
			milter_terms_take(p.data, offer, &t);
		if (milter_answer_parse(&p, &a) != 0)
			continue;
		if (a.kind == ANSWER_REPLY)
			check_reply(a.name);
		if (a.kind < ANSWER_ADD_HEADER || a.kind > ANSWER_CHANGE_HEADER || n == EDITS_MAX ||
			!milter_field_name_is_good(a.name))
			continue;
		edits[n].kind = a.kind == ANSWER_ADD_HEADER	 ? EDIT_ADD
				: a.kind == ANSWER_INSERT_HEADER ? EDIT_INSERT
								 : EDIT_CHANGE;
		edits[n].index = a.index;
		edits[n].name = a.name;
		edits[n].value = a.value;
		edits[n].keep_space = used & 1;
		if (n > 0)
			edits[n - 1].next = &edits[n];
		n++;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct milter_edit edits[EDITS_MAX] = { { .next = NULL } };
	struct str in = str_pn(data, size);
	struct milter_terms offer;
	struct milter_packet whole, part;
	size_t used, n, i;
	int r = milter_packet_next(in, &used, &whole), part_r = 0;

	for (i = 0; i <= size && part_r == 0; i++)
		part_r = milter_packet_next(str_sub(in, 0, i), &n, &part);
	require(part_r == r && (r != 1 || (n == used && str_eq(part.data, whole.data))));
	milter_terms_offer(STR("6"), &offer);
	n = take_all(in, &offer, edits);
	check_edits(n ? edits : NULL, n);
	return 0;
}
