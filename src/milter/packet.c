#include "milter/packet.h"
#include "milter/terms.h"

static const struct milter_event_row rows[MILTER_EVENTS] = {
	[MILTER_CONNECT] = { 'C', MILTER_NO_CONNECT, MILTER_NR_CONNECT, STAGE_OF_CONNECT },
	[MILTER_HELO] = { 'H', MILTER_NO_HELO, MILTER_NR_HELO, STAGE_OF_HELO },
	[MILTER_MAIL] = { 'M', MILTER_NO_MAIL, MILTER_NR_MAIL, STAGE_OF_MAIL },
	[MILTER_RCPT] = { 'R', MILTER_NO_RCPT, MILTER_NR_RCPT, STAGE_OF_RCPT },
	[MILTER_DATA] = { 'T', MILTER_NO_DATA, MILTER_NR_DATA, STAGE_OF_DATA },
	[MILTER_UNKNOWN] = { 'U', MILTER_NO_UNKNOWN, MILTER_NR_UNKNOWN, STAGE_OF_UNKNOWN },
	[MILTER_HEADER] = { 'L', MILTER_NO_HEADER, MILTER_NR_HEADER, STAGE_OF_EOH },
	[MILTER_EOH] = { 'N', MILTER_NO_EOH, MILTER_NR_EOH, STAGE_OF_EOH },
	[MILTER_BODY] = { 'B', MILTER_NO_BODY, MILTER_NR_BODY, STAGE_OF_EOM },
	[MILTER_EOM] = { 'E', 0, 0, STAGE_OF_EOM },
};

const struct milter_event_row *milter_event_row(enum milter_event e)
{
	return &rows[e];
}

static uint32_t get_u32(const char *p)
{
	const unsigned char *o = (const unsigned char *)p;

	return (uint32_t)o[0] << 24 | (uint32_t)o[1] << 16 | (uint32_t)o[2] << 8 | o[3];
}

int milter_packet_next(struct str in, size_t *used, struct milter_packet *p)
{
	uint32_t n;

	*used = 0;
	if (in.n < 4)
		return 0;
	n = get_u32(in.p);
	if (n == 0 || n > MILTER_PACKET_OCTETS)
		return -1;
	if (in.n - 4 < n)
		return 0;
	*used = 4 + (size_t)n;
	p->command = in.p[4];
	p->data = str_sub(in, 5, n - 1);
	return 1;
}

/* What does not fit fills the buffer: milter_packet_end() sees it. */
static void put(struct buf *out, struct str octets)
{
	if (buf_add_str(out, octets) == 0)
		return;
	while (buf_add_char(out, '\0') == 0)
		;
}

void milter_put_u32(struct buf *out, uint32_t n)
{
	const char octets[4] = { (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };

	put(out, str_pn(octets, sizeof octets));
}

void milter_put_u16(struct buf *out, uint16_t n)
{
	const char octets[2] = { (char)(n >> 8), (char)n };

	put(out, str_pn(octets, sizeof octets));
}

void milter_put_octets(struct buf *out, struct str octets)
{
	put(out, octets);
}

void milter_put_text(struct buf *out, struct str text)
{
	ptrdiff_t nul = str_chr(text, '\0');

	put(out, nul < 0 ? text : str_sub(text, 0, (size_t)nul));
	put(out, str_pn("", 1));
}

size_t milter_packet_begin(struct buf *out, char command)
{
	size_t start = out->n;

	milter_put_u32(out, 0);
	put(out, str_pn(&command, 1));
	return start;
}

int milter_packet_end(struct buf *out, size_t start)
{
	size_t n = out->n - start;

	if (n < 5 || n > MILTER_WIRE_OCTETS || out->n >= out->max) {
		out->n = start;
		return -1;
	}
	n -= 4;
	out->p[start] = (char)(n >> 24);
	out->p[start + 1] = (char)(n >> 16);
	out->p[start + 2] = (char)(n >> 8);
	out->p[start + 3] = (char)n;
	return 0;
}

void milter_put_command(struct buf *out, char command)
{
	milter_packet_end(out, milter_packet_begin(out, command));
}
