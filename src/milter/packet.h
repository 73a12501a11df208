/*
 * packet.h - the packets of the milter protocol (of Sendmail's libmilter), as seen from the mail server: questions out,
 * answers in. Octets in, struct out; no socket, no policy. docs/protocol/milter.md
 *
 * A packet is a u32 length (big-endian) and that many octets: a command, then its data.
 */
#ifndef MILTER_PACKET_H
#define MILTER_PACKET_H

#include "base/buf.h"

enum {
	MILTER_BODY_OCTETS = 65535,		       /* of the body in one packet */
	MILTER_PACKET_OCTETS = MILTER_BODY_OCTETS + 1, /* command and data, either way */
	MILTER_WIRE_OCTETS = MILTER_PACKET_OCTETS + 4
};

/* What a filter is told, in the order of a session. */
enum milter_event {
	MILTER_CONNECT,
	MILTER_HELO,
	MILTER_MAIL,
	MILTER_RCPT,
	MILTER_DATA,
	MILTER_UNKNOWN,
	MILTER_HEADER,
	MILTER_EOH,
	MILTER_BODY,
	MILTER_EOM,
	MILTER_EVENTS
};

/* Stages for which a filter may name its macros, in the numbers of the protocol. */
enum milter_stage {
	STAGE_OF_CONNECT,
	STAGE_OF_HELO,
	STAGE_OF_MAIL,
	STAGE_OF_RCPT,
	STAGE_OF_DATA,
	STAGE_OF_EOM,
	STAGE_OF_EOH,
	MILTER_STAGES,
	STAGE_OF_UNKNOWN = MILTER_STAGES,
	MILTER_MACRO_LISTS
};

struct milter_event_row {
	char command;
	uint32_t no_event; /* SMFIP_ bit: not to be told; 0: always is */
	uint32_t no_reply; /* … : told, but not answered */
	enum milter_stage macros;
};
const struct milter_event_row *milter_event_row(enum milter_event e);

struct milter_packet {
	char command;
	struct str data; /* in the octets that were read */
};
/*
 * The first packet of `in`. 1: it is there, *used octets with its length; 0: more is needed; -1: no packet can begin so
 * (close). The way the input is split never changes the result.
 */
int milter_packet_next(struct str in, size_t *used, struct milter_packet *p);

/*
 * Begin a packet in `out`, whose data is added then; milter_packet_end() fills in its length. `start` is what begin
 * returned. end: 0; -1: it has become too long, or did not fit into out: it was taken away again.
 */
size_t milter_packet_begin(struct buf *out, char command);
int milter_packet_end(struct buf *out, size_t start);
/* Data: text up to its first NUL, and a NUL; octets as they are. */
void milter_put_text(struct buf *out, struct str text);
void milter_put_octets(struct buf *out, struct str octets);
void milter_put_u32(struct buf *out, uint32_t n);
void milter_put_u16(struct buf *out, uint16_t n);
/* A packet without data. */
void milter_put_command(struct buf *out, char command);

enum { MILTER_ABORT = 'A', MILTER_MACROS = 'D', MILTER_NEGOTIATE = 'O', MILTER_QUIT = 'Q' };

#endif
