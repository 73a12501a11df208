#include "smtp/data.h"
#include "base/log.h"

/*
 * Most octets are never looked at one by one: a run of ordinary CRLF lines is found with memchr(), judged sixteen octets
 * at a time and copied whole. Only what stands around a dot at the start of a line, a bare CR or LF, or the edge of the
 * input goes through the machine below, octet by octet.
 */
enum state {
	BOL,	  /* behind CRLF, or at the very start: DATA's own CRLF counts (RFC 5321 sec. 4.1.1.4) */
	BOL_LF,	  /* behind a bare LF that was taken for a line end (normalize) */
	MID,	  /* inside a line */
	MID_CR,	  /* inside a line, a CR is held back */
	DOT,	  /* BOL and ".": held back */
	DOT_CR,	  /* BOL and ".\r": held back */
	DOT_LF,	  /* BOL_LF and ".": held back */
	DOT_LF_CR /* BOL_LF and ".\r": held back */
};

typedef unsigned char block __attribute__((vector_size(16)));

static block load(const char *p)
{
	block b;

	memcpy(&b, p, sizeof b);
	return b;
}

static bool any(block b)
{
	uint64_t half[2];

	memcpy(half, &b, sizeof half);
	return (half[0] | half[1]) != 0;
}

/* The flaws DATA_NUL, DATA_8BIT and DATA_BARE_CR of n octets, of which no LF is the next. */
static unsigned classify(const char *p, size_t n)
{
	block high = { 0 }, nul = { 0 }, cr = { 0 };
	unsigned char tail_high = 0;
	unsigned flaws = 0;
	size_t i = 0;

	for (; i + sizeof(block) < n; i += sizeof(block)) {
		block b = load(p + i), next = load(p + i + 1);

		high |= b;
		nul |= (block)(b == 0);
		cr |= (block)(b == '\r') & (block)(next != '\n');
	}
	for (; i < n; i++) {
		tail_high |= (unsigned char)p[i];
		if (p[i] == '\0')
			flaws |= DATA_NUL;
		if (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n'))
			flaws |= DATA_BARE_CR;
	}
	if (any(high & 0x80) || tail_high > 127)
		flaws |= DATA_8BIT;
	if (any(nul))
		flaws |= DATA_NUL;
	if (any(cr))
		flaws |= DATA_BARE_CR;
	return flaws;
}

static void put(struct buf *out, const char *p, size_t n)
{
	require(buf_add(out, p, n) == 0);
}

/* Copy, every CR that is not before LF turned into a space. */
static void put_without_bare_cr(struct buf *out, const char *p, size_t n)
{
	char *to = buf_reserve(out, n);

	require(to != NULL);
	for (size_t i = 0; i < n; i++)
		to[i] = p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n') ? ' ' : p[i];
	buf_commit(out, n);
}

static void count_line(struct data_scan *d, size_t octets)
{
	size_t line = d->line + octets;

	d->line = line > DATA_LINE_MAX ? DATA_LINE_MAX + 1 : (unsigned)line;
	if (d->line > DATA_LINE_MAX)
		d->flaws |= DATA_LONG_LINE;
}

/* Take a run as it is. It ends behind CRLF, or inside a line; a CR at its end is a bare one then. */
static size_t take_run(struct data_scan *d, const char *p, size_t n, struct buf *out)
{
	unsigned flaws = classify(p, n);

	d->flaws |= flaws;
	d->content += n;
	if (d->normalize && (flaws & DATA_BARE_CR))
		put_without_bare_cr(out, p, n);
	else
		put(out, p, n);
	return n;
}

/*
 * From a place inside a line, or at the start of one that begins with no dot: take all whole CRLF lines, up to one that
 * begins with a dot or ends in a bare LF, and the beginning of a line behind them. Returns the octets taken.
 */
static size_t take_lines(struct data_scan *d, struct str in, struct buf *out)
{
	const char *p = in.p, *end = in.p + in.n, *lf;

	while (p < end && (d->state == MID || *p != '.')) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL) {
			if (end[-1] == '\r')
				end--;
			count_line(d, (size_t)(end - p));
			d->state = p == end ? d->state : MID;
			p = end;
			break;
		}
		/* The CR of this LF was held back before `in` only when the state is MID_CR, which is not ours. */
		if (lf == p || lf[-1] != '\r') {
			count_line(d, (size_t)(lf - p));
			d->state = lf == p ? d->state : MID;
			p = lf;
			break;
		}
		count_line(d, (size_t)(lf - p) - 1);
		d->line = 0;
		d->state = BOL;
		p = lf + 1;
	}
	return take_run(d, in.p, (size_t)(p - in.p), out);
}

static bool is_held_dot(unsigned char state)
{
	return state >= DOT;
}

/* A line came to its end by LF. `crlf`: a CR is held back before it. `lone`: all of the line is a held dot. */
static void end_line(struct data_scan *d, bool crlf, bool lone, struct buf *out)
{
	if (!crlf)
		d->flaws |= DATA_BARE_LF;
	if (!crlf && !d->normalize) {
		/* Kept as it is: nothing that an LF alone ends is a line. The dot of ".\n" is stuffing by RFC 5321
		 * sec. 4.5.2, because other octets follow it in its line. */
		put(out, lone ? ".\n" : "\n", lone ? 2 : 1);
		d->content++;
		d->state = MID;
		count_line(d, 1);
		return;
	}
	/* A dot alone between line ends of which one is a bare LF is content, not the end: stuffed, so that it stays so. */
	put(out, lone ? "..\r\n" : "\r\n", lone ? 4 : 2);
	d->content += lone ? 3 : 2;
	d->line = 0;
	d->state = crlf ? BOL : BOL_LF;
}

/* Put out what was held back, now that it is neither the end nor part of a line end. */
static void release(struct data_scan *d, struct buf *out)
{
	bool cr = d->state == MID_CR || d->state == DOT_CR || d->state == DOT_LF_CR;

	if (is_held_dot(d->state))
		put(out, ".", 1);
	if (cr) {
		d->flaws |= DATA_BARE_CR;
		put(out, d->normalize ? " " : "\r", 1);
		d->content++;
		count_line(d, 1);
	}
	d->state = MID;
}

static unsigned char hold(unsigned char state, char c)
{
	if (c == '.')
		return state == BOL ? DOT : DOT_LF;
	return state == DOT ? DOT_CR : state == DOT_LF ? DOT_LF_CR : MID_CR;
}

/* One octet through the machine. Returns 1 at the end of data; 0: taken; -1: an ordinary octet, for take_lines(). */
static int take_octet(struct data_scan *d, char c, struct buf *out)
{
	bool cr = d->state == MID_CR || d->state == DOT_CR || d->state == DOT_LF_CR;

	if (c == '\n') {
		if (d->state == DOT_CR)
			return 1;
		end_line(d, cr, is_held_dot(d->state), out);
		return 0;
	}
	if (cr || (c != '\r' && is_held_dot(d->state)))
		release(d, out);
	if (c != '\r' && !(c == '.' && (d->state == BOL || d->state == BOL_LF)))
		return -1;
	d->state = hold(d->state, c);
	return 0;
}

void data_scan_init(struct data_scan *d, bool normalize)
{
	*d = (struct data_scan){ .state = BOL, .normalize = normalize };
}

int data_scan(struct data_scan *d, struct str in, struct buf *out, size_t *used)
{
	size_t n;

	*used = 0;
	while (!d->ended && *used < in.n) {
		if (d->state <= MID) {
			n = take_lines(d, str_from(in, *used), out);
			*used += n;
			if (*used == in.n)
				break;
		}
		switch (take_octet(d, in.p[*used], out)) {
		case 1:
			d->ended = true;
			(*used)++;
			break;
		case 0:
			(*used)++;
			break;
		}
	}
	return d->ended;
}

void bdat_scan_init(struct data_scan *d)
{
	*d = (struct data_scan){ .state = BOL };
}

/* A dot at the start of a line is content in a chunk: double it. */
static void stuff_dot(struct data_scan *d, struct buf *out)
{
	put(out, "..", 2);
	d->content++;
	count_line(d, 1);
	d->state = MID;
}

static void bdat_end(struct data_scan *d, struct buf *out)
{
	if (d->state == MID_CR)
		release(d, out);
	if (d->state == MID) {
		put(out, "\r\n", 2);
		d->content += 2;
	}
	d->ended = true;
}

void bdat_scan(struct data_scan *d, struct str in, bool last, struct buf *out)
{
	size_t i = 0;

	while (i < in.n) {
		if (d->state <= MID) {
			i += take_lines(d, str_from(in, i), out);
			if (i == in.n)
				break;
		}
		if (in.p[i] == '.' && d->state <= BOL_LF) {
			stuff_dot(d, out);
			i++;
		} else if (take_octet(d, in.p[i], out) >= 0)
			i++;
	}
	if (last)
		bdat_end(d, out);
}

void binary_scan(struct data_scan *d, struct str in, struct buf *out)
{
	d->content += in.n;
	while (in.n > 0) {
		ptrdiff_t lf = str_chr(in, '\n');
		size_t n = lf < 0 ? in.n : (size_t)lf + 1;

		if (d->state != MID && in.p[0] == '.')
			put(out, ".", 1);
		put(out, in.p, n);
		d->state = lf < 0 ? MID : BOL;
		in = str_from(in, n);
	}
}
