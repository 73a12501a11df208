#include "base/test.h"
#include "log/spool_reader.h"
#include "mime/convert.h"

#include <stdlib.h>

/* "|" is CRLF in the cases. */
#define UE    "\xc3\xbc"
#define TEXT  "MIME-Version: 1.0|Content-Type: text/plain|"
#define CTE   "Content-Transfer-Encoding: "
#define MIXED "MIME-Version: 1.0|Content-Type: multipart/mixed; boundary=b|"

static uint64_t seed = 88172645463325252u;

static size_t draw(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % below);
}

static void add_lines(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_add(out, *text == '|' ? "\r\n" : text, *text == '|' ? 2 : 1);
}

/* step 0: pieces of random length. */
static size_t next_piece(size_t step)
{
	return step ? step : 1 + draw(1500);
}

/* What becomes of a content: the octets, or "!5.6.3", or "=". */
static void convert_to(enum mime_target target, bool may_spoil, struct str in, size_t step, struct buf *out)
{
	struct mime_convert *c = mime_convert_new(target, may_spoil);
	struct mime_refusal why;
	size_t n;

	for (size_t i = 0; i < in.n; i += n) {
		n = next_piece(step);
		mime_convert_look(c, str_sub(in, i, n));
	}
	switch (mime_convert_answer(c, &why)) {
	case MIME_UNCHANGED:
		buf_add_c(out, "=");
		break;
	case MIME_REFUSED:
		check(strlen(why.text) > 10);
		buf_addf(out, "!%s", why.dsn);
		break;
	case MIME_CHANGED:
		for (size_t i = 0; i < in.n; i += n) {
			n = next_piece(step);
			mime_convert_put(c, str_sub(in, i, n), out);
		}
		mime_convert_finish(c, out);
		break;
	}
	mime_convert_free(&c);
	check(c == NULL);
}

static void convert(enum mime_target target, struct str in, size_t step, struct buf *out)
{
	convert_to(target, false, in, step, out);
}

static void check_split(enum mime_target target, struct str in, struct str out)
{
	for (size_t step = 0; step < 4; step++) {
		struct buf again = BUF_INIT(SIZE_MAX / 4);

		convert(target, in, step, &again);
		check(str_eq(buf_str(&again), out));
		buf_free(&again);
	}
}

static const struct {
	const char *name, *in, *to7, *to8;
} cases[] = {
	{ "nothing", "", "=", "=" },
	{ "seven bits", TEXT "|plain|.dot|", "=", "=" },
	{ "seven bits that were said to be eight", TEXT CTE "8bit||plain|", "=", "=" },
	{ "text", TEXT CTE "8bit||gr" UE "n|.|", TEXT CTE "quoted-printable||gr=C3=BCn|..|", "=" },
	{ "unlabelled text", TEXT "|gr" UE "n|", TEXT CTE "quoted-printable||gr=C3=BCn|", "=" },
	{ "no MIME at all", "To: x||" UE "|",
		"To: x|MIME-Version: 1.0|Content-Type: text/plain; charset=utf-8|" CTE "quoted-printable||=C3=BC|",
		"=" },
	{ "nor a character set", "To: x||\xfc|",
		"To: x|MIME-Version: 1.0|Content-Type: text/plain; charset=unknown-8bit|" CTE "quoted-printable||=FC|",
		"=" },
	{ "a character that the end cuts", "To: x||\xc3|",
		"To: x|MIME-Version: 1.0|Content-Type: text/plain; charset=unknown-8bit|" CTE "quoted-printable||=C3|",
		"=" },
	{ "no blank line", "To: x|no field " UE "|",
		"To: x|MIME-Version: 1.0|Content-Type: text/plain; charset=utf-8|" CTE
		"quoted-printable||no field =C3=BC|",
		"=" },
	{ "octets", "MIME-Version: 1.0|Content-Type: image/png|" CTE "8bit||\xff\xfe|",
		"MIME-Version: 1.0|Content-Type: image/png|" CTE "base64||//4NCg==|", "=" },
	{ "a folded label", TEXT CTE "|\t8bit||" UE "|", TEXT CTE "quoted-printable||=C3=BC|", "=" },
	{ "two labels", TEXT CTE "7bit|X: y|" CTE "8bit||" UE "|", TEXT "X: y|" CTE "quoted-printable||=C3=BC|", "=" },
	{ "an unknown encoding", TEXT CTE "x-uue||" UE "|", "!5.6.3", "=" },
	{ "quoted-printable with more", TEXT CTE "quoted-printable||=C3=BC " UE "|",
		TEXT CTE "quoted-printable||=C3=BC =C3=BC|", "=" },
	{ "base64 with more", TEXT CTE "base64||YWJj" UE "|YWJj|", TEXT CTE "base64||YWJj|YWJj|", "=" },
	{ "bare ends of lines", TEXT "|a\rb\nc|", TEXT CTE "quoted-printable||a=0Db=0Ac|",
		TEXT CTE "quoted-printable||a=0Db=0Ac|" },
	{ "binary octets", "MIME-Version: 1.0|Content-Type: x/y|" CTE "binary||\n\r|",
		"MIME-Version: 1.0|Content-Type: x/y|" CTE "base64||Cg0NCg==|",
		"MIME-Version: 1.0|Content-Type: x/y|" CTE "base64||Cg0NCg==|" },
	{ "parts",
		MIXED CTE "8bit||pre|--b||seven|--b|Content-Type: text/x|" CTE "8bit||" UE
			  "|--b|Content-Type: x/y||\xff|--b--|epi|",
		MIXED CTE "7bit||pre|--b||seven|--b|Content-Type: text/x|" CTE
			  "quoted-printable||=C3=BC|--b|Content-Type: x/y|" CTE "base64||/w==|--b--|epi|",
		"=" },
	{ "parts without MIME-Version", "Content-Type: multipart/mixed; boundary=\"b\"||--b||" UE "|--b--|",
		"Content-Type: multipart/mixed; boundary=\"b\"|MIME-Version: 1.0||--b|Content-Type: text/plain; "
		"charset=utf-8|" CTE "quoted-printable||=C3=BC|--b--|",
		"=" },
	{ "a part's last line is the boundary's", MIXED "|--b|Content-Type: x/y||\xff||--b--|",
		MIXED "|--b|Content-Type: x/y|" CTE "base64||/w0K|--b--|", "=" },
	{ "behind the last boundary the others are none",
		MIXED "|--b|Content-Type: multipart/x; boundary=c||--c--|--c|" UE "|--b--|",
		MIXED "|--b|Content-Type: multipart/x; boundary=c||--c--|--c||--b--|", "=" },
	{ "a boundary where the blank line should be", MIXED "X: y|--b|Content-Type: text/x||" UE "|--b--|",
		MIXED "X: y|--b|Content-Type: text/x|" CTE "quoted-printable||=C3=BC|--b--|", "=" },
	{ "of two encodings the first counts", TEXT CTE "base64|" CTE "8bit||YWJj" UE "|",
		TEXT CTE "base64|" CTE "8bit||YWJj|", "=" },
	{ "of two types the first counts", TEXT "Content-Type: multipart/mixed; boundary=b||--b|X: y||" UE "|",
		TEXT "Content-Type: multipart/mixed; boundary=b|" CTE "quoted-printable||=2D-b|X: y||=C3=BC|", "=" },
	{ "a character that a line end cuts", "To: x||\xc3|\xbc|",
		"To: x|MIME-Version: 1.0|Content-Type: text/plain; charset=unknown-8bit|" CTE
		"quoted-printable||=C3|=BC|",
		"=" },
	{ "an empty part", MIXED "|--b|--b||" UE "|--b--|",
		MIXED "|--b|--b|Content-Type: text/plain; charset=utf-8|" CTE "quoted-printable||=C3=BC|--b--|", "=" },
	{ "a last boundary without an end of its line", MIXED "|--b|Content-Type: x/y|" CTE "binary||\n|--b--",
		MIXED "|--b|Content-Type: x/y|" CTE "base64||Cg==|--b--|",
		MIXED "|--b|Content-Type: x/y|" CTE "base64||Cg==|--b--|" },
	{ "the same of the outer one",
		MIXED "|--b|Content-Type: multipart/x; boundary=c||--c|Content-Type: text/x||" UE "|--b--",
		MIXED "|--b|Content-Type: multipart/x; boundary=c||--c|Content-Type: text/x|" CTE
		      "quoted-printable||=C3=BC|--b--|",
		"=" },
	{ "one that is not whole there", MIXED "|--b|Content-Type: x/y||\xff|--",
		MIXED "|--b|Content-Type: x/y|" CTE "base64||/w0KLS0=|", "=" },
	{ "boundaries with blanks", MIXED "|--b \t|" CTE "8bit|Content-Type: text/x||" UE "|--b-- |",
		MIXED "|--b \t|Content-Type: text/x|" CTE "quoted-printable||=C3=BC|--b-- |", "=" },
	{ "what is no boundary", MIXED "|--b|Content-Type: text/x||" UE "|--bb|--|--b-|x--b|--b--|",
		MIXED "|--b|Content-Type: text/x|" CTE "quoted-printable||=C3=BC|=2D-bb|=2D-|=2D-b-|x--b|--b--|", "=" },
	{ "what would become one",
		"MIME-Version: 1.0|Content-Type: multipart/mixed; boundary=\"x=C3=BC\"||--x=C3=BC|Content-Type: "
		"text/x||--x" UE "|--x=C3=BC--|",
		"MIME-Version: 1.0|Content-Type: multipart/mixed; boundary=\"x=C3=BC\"||--x=C3=BC|Content-Type: "
		"text/x|" CTE "quoted-printable||=2D-x=C3=BC|--x=C3=BC--|",
		"=" },
	{ "around parts", MIXED "|" UE "|--b||x|--b--|" UE "|", MIXED "||--b||x|--b--||", "=" },
	{ "nested parts; the outer boundary ends the inner",
		MIXED "|--b|Content-Type: multipart/x; boundary=c|" CTE "8bit||--c|Content-Type: text/x||" UE
		      "|--b|Content-Type: text/x||" UE "|--c|--b--|",
		MIXED "|--b|Content-Type: multipart/x; boundary=c|" CTE "7bit||--c|Content-Type: text/x|" CTE
		      "quoted-printable||=C3=BC|--b|Content-Type: text/x|" CTE "quoted-printable||=C3=BC|=2D-c|--b--|",
		"=" },
	{ "the same boundary inside",
		MIXED "|--b|Content-Type: multipart/x; boundary=b||--b|Content-Type: text/x||" UE "|--b--|--b--|",
		MIXED "|--b|Content-Type: multipart/x; boundary=b||--b|Content-Type: text/x|" CTE
		      "quoted-printable||=C3=BC|--b--|--b--|",
		"=" },
	{ "a message in it", MIXED "|--b|Content-Type: message/rfc822|" CTE "8bit||Subject: " UE "||" UE "|--b--|",
		MIXED "|--b|Content-Type: message/rfc822|" CTE
		      "7bit||Subject: =?utf-8?q?=C3=BC?=|MIME-Version: 1.0|Content-Type: text/plain; charset=utf-8|" CTE
		      "quoted-printable||=C3=BC|--b--|",
		"=" },
	{ "a digest", "MIME-Version: 1.0|Content-Type: multipart/digest; boundary=b||--b||" TEXT "|" UE "|--b--|",
		"MIME-Version: 1.0|Content-Type: multipart/digest; boundary=b||--b||" TEXT CTE
		"quoted-printable||=C3=BC|--b--|",
		"=" },
	{ "a mailbox's line before a message", TEXT "|x|", "=", "=" },
	{ "and one with it", "MIME-Version: 1.0|Content-Type: message/rfc822||From me|" TEXT "|" UE "|",
		"MIME-Version: 1.0|Content-Type: message/rfc822||From me|" TEXT CTE "quoted-printable||=C3=BC|", "=" },
	{ "signed", "Content-Type: multipart/signed; boundary=b||--b||" UE "|--b--|", "!5.6.3", "=" },
	{ "signed, in seven bits", "Content-Type: multipart/signed; boundary=b||--b||x|--b--|", "=", "=" },
	{ "signed, a part beside it",
		MIXED "|--b|Content-Type: multipart/signed; boundary=c||--c||x|--c--|--b|Content-Type: text/x||" UE
		      "|--b--|",
		MIXED "|--b|Content-Type: multipart/signed; boundary=c||--c||x|--c--|--b|Content-Type: text/x|" CTE
		      "quoted-printable||=C3=BC|--b--|",
		"=" },
	{ "encrypted", "Content-Type: multipart/encrypted; boundary=b||--b||" UE "|--b--|", "!5.6.3", "=" },
	{ "a fragment", "Content-Type: message/partial||" UE "|", "!5.6.3", "=" },
	{ "no boundary", "Content-Type: multipart/mixed||" UE "|", "!5.6.3", "=" },
	{ "a multipart that says it is encoded", MIXED CTE "base64||--b|Content-Type: text/x||" UE "|--b--|",
		MIXED CTE "base64||--b|Content-Type: text/x|" CTE "quoted-printable||=C3=BC|--b--|", "=" },
	{ "a message that does", "Content-Type: message/rfc822|" CTE "base64||To: x||" UE "|", "!5.6.3", "=" },
	{ "a boundary that does not occur", MIXED "|text|--c|" UE "|", "!5.6.3", "=" },
	{ "nor within a part", MIXED "|--b|Content-Type: multipart/x; boundary=c||" UE "|--b--|", "!5.6.3", "=" },
	{ "a header field only", "Subject: " UE "||x|", "Subject: =?utf-8?q?=C3=BC?=||x|", "=" },
	{ "an address", "From: " UE "@x||x|", "!5.6.7", "=" },
	{ "a binary container for eight bits",
		MIXED CTE "binary||--b|Content-Type: x/y||\n|--b|Content-Type: text/x||" UE "|--b--|",
		MIXED CTE "7bit||--b|Content-Type: x/y|" CTE "base64||Cg==|--b|Content-Type: text/x|" CTE
			  "quoted-printable||=C3=BC|--b--|",
		MIXED CTE "8bit||--b|Content-Type: x/y|" CTE "base64||Cg==|--b|Content-Type: text/x||" UE "|--b--|" },
};

/* Octets over 127 stay in bodies alone. */
static void test_bodies(void **state)
{
	static const struct {
		const char *in, *out;
	} mails[] = {
		{ TEXT "|" UE "|", "=" },
		{ TEXT "Subject: " UE "||" UE "|", TEXT "Subject: =?utf-8?q?=C3=BC?=||" UE "|" },
		{ MIXED "|--b|X: " UE "||" UE "|--b--|", MIXED "|--b|X: =?utf-8?q?=C3=BC?=||" UE "|--b--|" },
		{ TEXT "To: " UE "@x||", "!5.6.7" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof mails / sizeof *mails; i++) {
		struct buf in = BUF_INIT(10000), want = BUF_INIT(10000), out = BUF_INIT(10000);

		add_lines(&in, mails[i].in);
		add_lines(&want, mails[i].out);
		convert(MIME_TO_8BIT_BODIES, buf_str(&in), in.n + 1, &out);
		check_str(buf_str(&out), want.p);
		check_split(MIME_TO_8BIT_BODIES, buf_str(&in), buf_str(&out));
		buf_free(&in);
		buf_free(&want);
		buf_free(&out);
	}
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int target = MIME_TO_7BIT; target <= MIME_TO_8BIT; target++) {
			struct buf in = BUF_INIT(10000), want = BUF_INIT(10000), out = BUF_INIT(10000);

			add_lines(&in, cases[i].in);
			add_lines(&want, target == MIME_TO_7BIT ? cases[i].to7 : cases[i].to8);
			convert((enum mime_target)target, buf_str(&in), in.n + 1, &out);
			check_str(buf_str(&out), want.p);
			check_split((enum mime_target)target, buf_str(&in), buf_str(&out));
			buf_free(&in);
			buf_free(&want);
			buf_free(&out);
		}
}

/* RFC 5322 sec. 2.1.1, to the octet, wherever the long line stands and however long it is. */
static void test_long_lines(void **state)
{
	static const struct {
		const char *before, *behind;
	} places[] = { { TEXT "|", "|" }, { TEXT CTE "quoted-printable||", "|" }, { TEXT CTE "base64||", "|" },
		{ "Subject: ", "||x|" }, { MIXED "|", "|--b||x|--b--|" }, { MIXED "|--b|X: ", "||x|--b--|" },
		{ MIXED "|--b|Content-Type: x/y||", "|--b--|" } };
	static const size_t lengths[] = { 990, 997, 998, 999, 1000, 1022, 1023, 1024, 1025, 2047, 2048, 5000, 102400,
		140000 };

	(void)state;
	for (size_t p = 0; p < sizeof places / sizeof *places; p++)
		for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
			for (int target = MIME_TO_7BIT; target <= MIME_TO_8BIT; target++) {
				struct buf in = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
				size_t start, line = 0;
				bool refused = lengths[l] == 140000 && strstr(places[p].before, "X: ");

				add_lines(&in, places[p].before);
				start = (size_t)(str_rchr(buf_str(&in), '\n') + 1);
				while (in.n < start + lengths[l])
					buf_add_char(&in, 'x');
				add_lines(&in, places[p].behind);
				convert((enum mime_target)target, buf_str(&in), in.n, &out);
				refused |= lengths[l] == 140000 && strstr(places[p].before, "Subject: ");
				if (refused)
					check_str(buf_str(&out), "!5.6.3");
				else
					check_int(str_eq(buf_str(&out), STR("=")), lengths[l] <= 998);
				check(out.n == 0 || memmem(out.p, out.n, "=0D", 3) == NULL);
				for (size_t i = 0; i < out.n; i++) {
					line = out.p[i] == '\n' ? 0 : line + 1;
					check(line <= 998 + (out.p[i] == '\r'));
				}
				check_split((enum mime_target)target, buf_str(&in), buf_str(&out));
				buf_free(&in);
				buf_free(&out);
			}
}

/* A report arrives, whatever it has in it. */
static void test_spoiling(void **state)
{
	static const struct {
		const char *in, *out;
	} spoilt[] = {
		{ TEXT CTE "8bit||gr" UE "n|", TEXT CTE "quoted-printable||gr=C3=BCn|" },
		{ MIXED "|--b|Content-Type: message/rfc822||To: " UE
			"@x|Content-Type: multipart/signed; boundary=c||--c||" UE "|--x" UE "|--c--|--b--|",
			MIXED "|--b|Content-Type: message/rfc822||To: ??@x|Content-Type: multipart/signed; "
			      "boundary=c|MIME-Version: 1.0||--c||??|?-x??|--c--|--b--|" },
		{ TEXT CTE "x-y||--" UE "|.|", TEXT CTE "x-y||?-??|..|" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++)
		for (size_t step = 0; step < 4; step++) {
			struct buf in = BUF_INIT(10000), want = BUF_INIT(10000), out = BUF_INIT(10000);

			add_lines(&in, spoilt[i].in);
			add_lines(&want, spoilt[i].out);
			convert_to(MIME_TO_7BIT, true, buf_str(&in), step, &out);
			check_str(buf_str(&out), want.p);
			buf_free(&in);
			buf_free(&want);
			buf_free(&out);
		}
}

/* A field that is longer than we keep: cut to the octet, in one line or in many, and what follows is whole. */
static void test_cutting(void **state)
{
	static const char *const lines[] = { "x", "x\r\n ", "\r\n 2345678", UE };
	static const size_t sizes[] = { MIME_FIELD_MAX - 20, MIME_FIELD_MAX - 3, MIME_FIELD_MAX - 2, MIME_FIELD_MAX - 1,
		MIME_FIELD_MAX + 3000 };
	static const char end[] = "Subject: whole\r\n\r\n" UE "\r\n";

	(void)state;
	for (size_t l = 0; l < sizeof lines / sizeof *lines; l++)
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
			struct buf in = BUF_INIT(SIZE_MAX / 4), out = BUF_INIT(SIZE_MAX / 4);
			struct str rest, line;
			bool is_fit = true;

			buf_add_c(&in, "X-Y: x");
			while (in.n < sizes[k])
				buf_add_c(&in, lines[l]);
			buf_add_c(&in, "\r\n");
			buf_add_c(&in, end);
			convert_to(MIME_TO_7BIT, true, buf_str(&in), in.n, &out);
			check(str_has_prefix(buf_str(&out), STR("X-Y:")));
			check(out.n > MIME_FIELD_MAX - 2048);
			check(memmem(out.p, out.n, "\r\nSubject: whole\r\n", 18) != NULL);
			check(str_has_suffix(buf_str(&out), STR("\r\n\r\n=C3=BC\r\n")));
			for (rest = buf_str(&out); str_field(&rest, "\n", &line);)
				is_fit &= line.n <= 999 && (line.n == 0 || line.p[line.n - 1] == '\r');
			check(is_fit);
			buf_reset(&out);
			convert_to(MIME_TO_7BIT, false, buf_str(&in), in.n, &out);
			check_int(str_eq(buf_str(&out), STR("!5.6.3")), in.n > MIME_FIELD_MAX + sizeof end - 1);
			buf_free(&in);
			buf_free(&out);
		}
}

/* `out`, in wire form, is `in` but for lines of the field that starts there. */
static void check_folded(struct str in, size_t field, size_t body, struct buf *out)
{
	bool at_line_start = true;
	struct str rest, line;
	const char *end;

	out->n = dot_unstuff(out->p, out->n, &at_line_start);
	check(str_eq(str_sub(buf_str(out), 0, field), str_sub(in, 0, field)));
	end = memmem(out->p, out->n, "\r\n\r\n", 4);
	check(end != NULL);
	rest = str_pn(out->p, (size_t)(end - out->p) + 2);
	while (str_field(&rest, "\n", &line))
		check(line.n <= 999);
	check(str_eq(str_from(buf_str(out), (size_t)(end - out->p) + 4), str_from(in, body)));
}

/* Lines of the first header are folded; behind it nothing is looked at, and nothing changed. */
static void test_to_binary(void **state)
{
	static const char *const bodies[] = { "", "x", "|", ".\n.\r.|.|\xff", "--b|Content-Type: x/y||\n|--b--|",
		"--b|X: 2345||--b--" };
	static const char *const kinds[] = { "Content-Type: multipart/signed; boundary=b|", MIXED CTE "binary|",
		"Content-Type: message/rfc822|" CTE "binary|", TEXT CTE "x-unknown|", "" };
	static const size_t lengths[] = { 998, 999, 5000 };

	(void)state;
	for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++)
		for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
			for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
				struct buf in = BUF_INIT(20000), out = BUF_INIT(20000);
				size_t start;

				add_lines(&in, kinds[k]);
				start = in.n;
				buf_add_c(&in, "Subject: " UE);
				while (in.n < start + lengths[l])
					buf_add_c(&in, in.n % 9 ? "x" : " ");
				in.n = start + lengths[l];
				add_lines(&in, "||");
				add_lines(&in, bodies[b]);
				if (b == 5) /* a line that would be too long, at its end too */
					for (unsigned i = 0; i < 3000; i++)
						buf_add_char(&in, 'x');
				convert(MIME_TO_BINARY, buf_str(&in), in.n, &out);
				check_split(MIME_TO_BINARY, buf_str(&in), buf_str(&out));
				check_int(str_eq(buf_str(&out), STR("=")), lengths[l] <= 998);
				if (lengths[l] > 998)
					check_folded(buf_str(&in), start, start + lengths[l] + 4, &out);
				buf_free(&in);
				buf_free(&out);
			}
}

static void test_nul(void **state)
{
	static const char in[] = "MIME-Version: 1.0\r\nContent-Type: text/x\r\n\r\na\0b\r\n";
	struct buf out = BUF_INIT(1000);

	(void)state;
	convert(MIME_TO_8BIT, str_pn(in, sizeof in - 1), 1000, &out);
	check(str_has_suffix(buf_str(&out), STR("quoted-printable\r\n\r\na=00b\r\n")));
	buf_free(&out);
}

/* As deep as we go, and one level more. */
static void test_depth(void **state)
{
	(void)state;
	for (int depth = MIME_DEPTH_MAX - 1; depth <= MIME_DEPTH_MAX + 2; depth++) {
		struct buf in = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);

		for (int i = 1; i < depth; i++)
			buf_addf(&in, "Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n", i, i);
		buf_add_c(&in, "\r\n" UE "\r\n");
		convert(MIME_TO_7BIT, buf_str(&in), in.n, &out);
		if (depth > MIME_DEPTH_MAX + 1)
			check_str(buf_str(&out), "!5.6.3");
		else
			check(memmem(out.p, out.n, "=C3=BC\r\n", 8) != NULL);
		buf_free(&in);
		buf_free(&out);
	}
}

static void test_many_parts(void **state)
{
	(void)state;
	for (int n = MIME_ENTITIES_MAX - 2; n <= MIME_ENTITIES_MAX; n++) {
		struct buf in = BUF_INIT(1 << 24), out = BUF_INIT(1 << 24);

		buf_add_c(&in, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
		for (int i = 0; i < n; i++)
			buf_add_c(&in, "--b\r\n\r\n\r\n");
		convert(MIME_TO_7BIT, buf_str(&in), in.n, &out);
		check_str(buf_str(&out), "=");
		buf_reset(&out);
		buf_add_c(&in, UE "\r\n");
		convert(MIME_TO_7BIT, buf_str(&in), in.n, &out);
		if (n >= MIME_ENTITIES_MAX)
			check_str(buf_str(&out), "!5.6.3");
		else
			check(str_has_suffix(buf_str(&out), STR("=C3=BC\r\n")));
		buf_reset(&out);
		convert_to(MIME_TO_7BIT, true, buf_str(&in), in.n, &out);
		check(str_has_suffix(buf_str(&out), n < MIME_ENTITIES_MAX ? STR("=C3=BC\r\n") : STR("\r\n??\r\n")));
		buf_free(&in);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_long_lines), cmocka_unit_test(test_spoiling), cmocka_unit_test(test_cutting),
		cmocka_unit_test(test_nul), cmocka_unit_test(test_to_binary), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_many_parts) };

	return test_run(tests);
}
