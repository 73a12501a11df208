/* convert_impl.h - what the files convert_*.c share; for nobody else. */
#ifndef MIME_CONVERT_IMPL_H
#define MIME_CONVERT_IMPL_H

#include "mime/body_code.h"
#include "mime/content_type.h"
#include "mime/convert.h"
#include "smtp/data.h"

enum { PIECE_MAX = 1024 /* octets of a line that are kept to be looked at as one */ };

enum { OPEN_SLOTS = 1024 }; /* a power of 2 */

/* What stands in the plan for an entity, by its number in the order of appearance: enum mime_code, and: */
enum {
	PLAN_CODE = 7,
	PLAN_RELABEL = 8,   /* a container that says 8bit or binary, which is true no longer */
	PLAN_VERSION = 16,  /* MIME-Version is added */
	PLAN_TYPE = 32,	    /* Content-Type is added, text/plain; charset=unknown-8bit */
	PLAN_TYPE_UTF8 = 64 /* the same; charset=utf-8 */
};

/* What a body has that decides about it. */
enum { FOUND_8BIT = 1, FOUND_LONG = 2, FOUND_BINARY = 4, FOUND_NO_UTF8 = 8 };

/* An entity that has begun and not ended. */
struct mime_level {
	enum mime_kind kind;
	enum mime_cte cte;
	bool is_message; /* the whole, or the content of message/rfc822 */
	bool has_field, has_type, has_cte, has_version;
	bool parted;  /* a boundary was there */
	bool unfit;   /* before its first boundary is what must not be sent */
	bool changed; /* something in it */
	uint32_t number;
	size_t boundary_at, boundary_n; /* in c->boundaries; 0 octets: none, or its last one was there */
	uint64_t boundary_hash;
};

enum mime_state {
	STATE_HEADER,
	STATE_BODY,  /* of a leaf, or sealed */
	STATE_AROUND /* before the first and behind the last part of a multipart */
};

struct mime_convert {
	enum mime_target target;
	bool may_spoil;
	bool writing; /* it is read for the second time */
	struct buf *out;
	struct buf plan; /* an octet for each entity */
	bool dirty;	 /* something has to be changed */
	struct mime_refusal why;

	struct buf line; /* the beginning of a line that is not complete */
	bool in_line;	 /* pieces of this line have been taken */

	enum mime_state state;
	struct mime_level *level;
	unsigned depth, depth_max; /* entities that are open; that may be */
	uint32_t next;		   /* number of the next entity */
	struct buf boundaries;
	unsigned char open[OPEN_SLOTS]; /* boundaries that there are, by the low bits of their hash */
	struct buf field;		/* header field under way */
	bool in_field_line;		/* its last line is not complete */
	bool cutting;			/* the rest of this field is over MIME_FIELD_MAX */
	bool field_is_cut;		/* one was */

	unsigned found;
	size_t column; /* octets in this line of the body */
	unsigned char utf8_need, utf8_low, utf8_high;
	bool held_newline; /* a CRLF that belongs to the body, unless a boundary follows */
	bool skipping;	   /* the rest of this line around parts is left out */
	struct mime_coder coder;
	struct buf scratch;
	bool at_line_start; /* of the output */
};

/* convert_walk.c: a line of the content, unstuffed and without CRLF, in one piece or in several. */
void mime_walk_piece(struct mime_convert *c, struct str octets, bool starts, bool ends);
/* Is this whole line a boundary of an entity that is open? Then it is taken. */
bool mime_walk_boundary(struct mime_convert *c, struct str line);
/* The boundary of the innermost entity, none before: n octets, 0: still none. */
void mime_walk_open(struct mime_convert *c, const char *boundary, size_t n);
void mime_walk_begin(struct mime_convert *c);
void mime_walk_end(struct mime_convert *c);
/* Without effect where nothing is refused. */
void mime_refuse(struct mime_convert *c, const char *dsn, const char *text);
static inline struct mime_level *mime_top(struct mime_convert *c)
{
	return &c->level[c->depth - 1];
}
unsigned mime_planned(const struct mime_convert *c, const struct mime_level *l);

/* convert_header.c: a line of a header, which is a field or goes on with one; the end of the field under way. */
bool mime_is_field(const struct mime_convert *c, struct str line);
void mime_header_piece(struct mime_convert *c, struct str octets, bool ends);
void mime_field_end(struct mime_convert *c);
/* What the plan adds to this header. Returns whether anything. */
bool mime_header_add(struct mime_convert *c);

/* convert_body.c: a leaf from its first octet on; a line of it; its end, `at_end` of the message. */
void mime_body_begin(struct mime_convert *c);
void mime_body_piece(struct mime_convert *c, struct str octets, bool ends);
void mime_body_end(struct mime_convert *c, bool at_end);
/* May these octets be sent as they are? The first piece of a line shows whether it is too long. */
bool mime_is_fit(const struct mime_convert *c, struct str octets);
void mime_around_piece(struct mime_convert *c, struct str octets, bool starts, bool ends);
/* Octets of output, CRLF where a line ends; stuffed here. Nothing in the first reading. */
void mime_emit(struct mime_convert *c, struct str octets);

#endif
