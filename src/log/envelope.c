#include "log/envelope.h"
#include "base/ipc.h"
#include "base/log.h"
#include "log/envelope_internal.h"

#include <stdio.h>

/* An attribute is: u8 tag, u32 length, octets. Numbers are little-endian. docs/protocol/log.md */
enum tag {
	TAG_ID = 1,
	TAG_ARRIVAL = 2,
	TAG_SIZE = 3,
	TAG_FLAGS = 4,
	TAG_SENDER = 5,
	TAG_ENVID = 6,
	TAG_AUTH = 7,
	TAG_SASL_USERNAME = 8,
	TAG_SASL_METHOD = 9,
	TAG_CLIENT_NAME = 10,
	TAG_CLIENT_ADDR = 11,
	TAG_HELO = 12,
	TAG_PROTO = 13,
	TAG_RCPT = 14,
	TAG_EXTENTS = 15,
	TAG_SOLICIT = 32,
	TAG_VALID_SINCE = 33,
	TAG_PRIORITY = 34,
	TAG_DELIVER_BY = 35,
	TAG_HOLD_UNTIL = 36,
	TAG_HOLD_FOR = 37
};
enum {
	EXTENT_OCTETS = 20,
	PRIORITY_BIAS = 100,
	NUMBERS_MAX = 8,
	RCPT_FIXED_OCTETS = (5 + 5 + 12) + (5 + 4 + 8 + 1) /* with its VALID_SINCE */
};

static void put_text(struct buf *out, enum tag tag, struct str s)
{
	if (s.n == 0)
		return;
	ipc_put_u8(out, (uint8_t)tag);
	ipc_put_str(out, s);
}

static void put_number(struct buf *out, enum tag tag, uint64_t v)
{
	ipc_put_u8(out, (uint8_t)tag);
	ipc_put_u32(out, 8);
	ipc_put_u64(out, v);
}

static void put_rcpt(struct buf *out, const struct envelope_rcpt *r)
{
	ipc_put_u8(out, TAG_RCPT);
	ipc_put_u32(out, (uint32_t)(5 + 12 + r->address.n + r->original.n + r->orcpt.n));
	ipc_put_u32(out, r->index);
	ipc_put_u8(out, r->notify);
	ipc_put_str(out, r->address);
	ipc_put_str(out, r->original);
	ipc_put_str(out, r->orcpt);
}

/* Behind the recipient of that index. */
static void put_valid_since(struct buf *out, const struct envelope_rcpt *r)
{
	if (r->valid_since == 0)
		return;
	ipc_put_u8(out, TAG_VALID_SINCE);
	ipc_put_u32(out, 4 + 8 + 1);
	ipc_put_u32(out, r->index);
	ipc_put_u64(out, r->valid_since);
	ipc_put_u8(out, r->since_may_end);
}

void envelope_put_extents(struct buf *out, const struct extent *extent, size_t n)
{
	if (n == 0)
		return;
	ipc_put_u8(out, TAG_EXTENTS);
	ipc_put_u32(out, (uint32_t)(n * EXTENT_OCTETS));
	for (size_t i = 0; i < n; i++) {
		ipc_put_u64(out, extent[i].generation);
		ipc_put_u64(out, extent[i].offset);
		ipc_put_u32(out, extent[i].octets);
	}
}

size_t envelope_octets(const struct envelope *e)
{
	const struct str texts[] = { e->sender, e->envid, e->auth, e->sasl_username, e->sasl_method, e->client_name,
		e->client_addr, e->helo, e->proto, e->solicit, e->unknown };
	size_t n = NUMBERS_MAX * (5 + 8) + e->n_extent * EXTENT_OCTETS + 5;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		n += 5 + texts[i].n;
	for (size_t i = 0; i < e->n_rcpt; i++)
		n += RCPT_FIXED_OCTETS + e->rcpt[i].address.n + e->rcpt[i].original.n + e->rcpt[i].orcpt.n;
	return n;
}

void envelope_encode(struct buf *out, const struct envelope *e)
{
	put_number(out, TAG_ID, e->id);
	put_number(out, TAG_ARRIVAL, e->arrival_us);
	put_number(out, TAG_SIZE, e->size);
	put_number(out, TAG_FLAGS, e->flags);
	put_text(out, TAG_SENDER, e->sender);
	put_text(out, TAG_ENVID, e->envid);
	put_text(out, TAG_AUTH, e->auth);
	put_text(out, TAG_SASL_USERNAME, e->sasl_username);
	put_text(out, TAG_SASL_METHOD, e->sasl_method);
	put_text(out, TAG_CLIENT_NAME, e->client_name);
	put_text(out, TAG_CLIENT_ADDR, e->client_addr);
	put_text(out, TAG_HELO, e->helo);
	put_text(out, TAG_PROTO, e->proto);
	put_text(out, TAG_SOLICIT, e->solicit);
	if (e->priority != 0)
		put_number(out, TAG_PRIORITY, (uint64_t)(e->priority + PRIORITY_BIAS));
	if (e->deliver_by_us != 0)
		put_number(out, TAG_DELIVER_BY, e->deliver_by_us);
	if (e->hold_until_us != 0)
		put_number(out, TAG_HOLD_UNTIL, e->hold_until_us);
	if (e->hold_for_s != 0)
		put_number(out, TAG_HOLD_FOR, e->hold_for_s);
	for (size_t i = 0; i < e->n_rcpt; i++) {
		put_rcpt(out, &e->rcpt[i]);
		put_valid_since(out, &e->rcpt[i]);
	}
	if (buf_add_str(out, e->unknown) != 0)
		panic("envelope over %zu octets", out->max);
	envelope_put_extents(out, e->extent, e->n_extent);
}

static struct str *text_of(struct envelope *e, unsigned tag)
{
	switch (tag) {
	case TAG_SENDER:
		return &e->sender;
	case TAG_ENVID:
		return &e->envid;
	case TAG_AUTH:
		return &e->auth;
	case TAG_SASL_USERNAME:
		return &e->sasl_username;
	case TAG_SASL_METHOD:
		return &e->sasl_method;
	case TAG_CLIENT_NAME:
		return &e->client_name;
	case TAG_CLIENT_ADDR:
		return &e->client_addr;
	case TAG_HELO:
		return &e->helo;
	case TAG_PROTO:
		return &e->proto;
	case TAG_SOLICIT:
		return &e->solicit;
	default:
		return NULL;
	}
}

static int get_rcpt(struct str octets, struct envelope_rcpt *r)
{
	struct ipc_in in = { octets, false };

	r->index = ipc_get_u32(&in);
	r->notify = ipc_get_u8(&in);
	r->address = ipc_get_str(&in);
	r->original = ipc_get_str(&in);
	r->orcpt = ipc_get_str(&in);
	return ipc_get_end(&in) ? 0 : -1;
}

/* Of one of the recipients that stand before it; of one that is not there it says nothing. */
static int get_valid_since(struct str octets, struct envelope *e, size_t n_rcpt)
{
	struct ipc_in in = { octets, false };
	uint32_t index = ipc_get_u32(&in);
	uint64_t since = ipc_get_u64(&in);
	bool may_end = ipc_get_u8(&in) != 0;

	if (!ipc_get_end(&in))
		return -1;
	for (size_t i = n_rcpt; i > 0; i--) {
		if (e->rcpt[i - 1].index != index)
			continue;
		e->rcpt[i - 1].valid_since = since;
		e->rcpt[i - 1].since_may_end = may_end;
		break;
	}
	return 0;
}

static int get_extents(struct str octets, struct envelope *e)
{
	struct ipc_in in = { octets, false };

	if (octets.n % EXTENT_OCTETS != 0 || octets.n / EXTENT_OCTETS != e->n_extent)
		return -1; /* more than one such attribute */
	for (size_t i = 0; i < e->n_extent; i++) {
		e->extent[i].generation = ipc_get_u64(&in);
		e->extent[i].offset = ipc_get_u64(&in);
		e->extent[i].octets = ipc_get_u32(&in);
	}
	return 0;
}

static int get_number(struct str octets, unsigned tag, struct envelope *e)
{
	struct ipc_in in = { octets, false };
	uint64_t v = ipc_get_u64(&in);

	if (!ipc_get_end(&in))
		return -1;
	if (tag == TAG_ID)
		e->id = v;
	else if (tag == TAG_ARRIVAL)
		e->arrival_us = v;
	else if (tag == TAG_SIZE)
		e->size = v;
	else if (tag == TAG_FLAGS)
		e->flags = (uint32_t)v;
	else if (tag == TAG_DELIVER_BY)
		e->deliver_by_us = v;
	else if (tag == TAG_HOLD_UNTIL)
		e->hold_until_us = v;
	else if (tag == TAG_HOLD_FOR)
		e->hold_for_s = v;
	else if (v >= PRIORITY_BIAS - 9 && v <= PRIORITY_BIAS + 9)
		e->priority = (int)v - PRIORITY_BIAS;
	else
		return -1;
	return 0;
}

static bool is_known(unsigned tag)
{
	return tag <= TAG_EXTENTS || (tag >= TAG_SOLICIT && tag <= TAG_HOLD_FOR);
}

static bool next_attribute(struct ipc_in *in, unsigned *tag, struct str *value)
{
	if (in->rest.n == 0)
		return false;
	*tag = ipc_get_u8(in);
	*value = ipc_get_str(in);
	return true;
}

/* How many elements the arrays need, how long the unknown attributes are. */
static int count(struct str octets, struct envelope *e, size_t *unknown)
{
	struct ipc_in in = { octets, false };
	struct str value;
	unsigned tag;

	*unknown = 0;
	while (next_attribute(&in, &tag, &value)) {
		if (in.bad)
			return -1;
		if (tag == TAG_RCPT)
			e->n_rcpt++;
		else if (tag == TAG_EXTENTS)
			e->n_extent += value.n / EXTENT_OCTETS;
		else if (tag == 0)
			return -1;
		else if (!is_known(tag))
			*unknown += 5 + value.n;
	}
	return 0;
}

int envelope_decode(struct str octets, struct arena *mem, struct envelope *e)
{
	struct ipc_in in = { octets, false };
	size_t unknown, n_rcpt = 0;
	char *keep = NULL;
	struct str value;
	unsigned tag;
	int err = 0;

	memset(e, 0, sizeof *e);
	if (count(octets, e, &unknown) != 0)
		return -1;
	e->rcpt = arena_array(mem, e->n_rcpt, sizeof *e->rcpt);
	e->extent = arena_array(mem, e->n_extent, sizeof *e->extent);
	if (unknown)
		e->unknown.p = keep = arena_alloc(mem, unknown);
	for (const char *at = octets.p; err == 0 && next_attribute(&in, &tag, &value); at = in.rest.p) {
		struct str *text = text_of(e, tag);

		if (text) {
			*text = value;
		} else if (tag <= TAG_FLAGS || (tag >= TAG_PRIORITY && tag <= TAG_HOLD_FOR)) {
			err = get_number(value, tag, e);
		} else if (tag == TAG_RCPT) {
			err = get_rcpt(value, &e->rcpt[n_rcpt++]);
		} else if (tag == TAG_EXTENTS) {
			err = get_extents(value, e);
		} else if (tag == TAG_VALID_SINCE) {
			err = get_valid_since(value, e, n_rcpt);
		} else {
			memcpy(keep, at, 5 + value.n);
			keep += 5 + value.n;
			e->unknown.n += 5 + value.n;
		}
	}
	return err == 0 && e->id != 0 ? 0 : -1;
}

const char *envelope_id_text(uint64_t id, char *text)
{
	snprintf(text, ENVELOPE_ID_TEXT, "%010llX", (unsigned long long)id);
	return text;
}

bool envelope_id_parse(struct str text, uint64_t *id)
{
	uint64_t v = 0;

	*id = 0;
	if (text.n < 10 || text.n >= ENVELOPE_ID_TEXT)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'A' && c <= 'F')
			v = v << 4 | (uint64_t)(c - 'A' + 10);
		else
			return false;
	}
	*id = v;
	return v != 0;
}
