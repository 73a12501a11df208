#include "milter/terms.h"

enum {
	ALL_ACTIONS = MILTER_ADD_HEADERS | MILTER_CHANGE_BODY | MILTER_ADD_RCPT | MILTER_DELETE_RCPT |
		      MILTER_CHANGE_HEADERS | MILTER_QUARANTINE | MILTER_CHANGE_SENDER | MILTER_ADD_RCPT_ARGS |
		      MILTER_SET_MACROS,
	VERSION_2 = MILTER_NO_CONNECT | MILTER_NO_HELO | MILTER_NO_MAIL | MILTER_NO_RCPT | MILTER_NO_BODY |
		    MILTER_NO_HEADER | MILTER_NO_EOH,
	VERSION_3 = VERSION_2 | MILTER_NO_UNKNOWN,
	VERSION_4 = VERSION_3 | MILTER_NO_DATA,
	EVENTS = VERSION_4,
	VERSION_6 = VERSION_4 | MILTER_NR_HEADER | MILTER_CAN_SKIP | MILTER_NR_CONNECT | MILTER_NR_HELO |
		    MILTER_NR_MAIL | MILTER_NR_RCPT | MILTER_NR_DATA | MILTER_NR_UNKNOWN | MILTER_NR_EOH |
		    MILTER_NR_BODY | MILTER_LEADING_SPACE
};

/* What each version of the protocol can agree on. There is no libmilter of version 5: it is taken as 4. */
static uint32_t protocol_of(uint32_t version)
{
	static const uint32_t known[] = { VERSION_2, VERSION_3, VERSION_4, VERSION_4, VERSION_6 };

	return known[version - MILTER_VERSION_MIN];
}

int milter_terms_offer(struct str milter_protocol, struct milter_terms *offer)
{
	uint32_t more = 0;
	struct str word;

	memset(offer, 0, sizeof *offer);
	while (str_word(&milter_protocol, ", \t\r\n", &word)) {
		uint64_t n;

		if (str_ieq(word, STR("no_header_reply"))) {
			more |= MILTER_NR_HEADER;
			continue;
		}
		if (!str_u64(word, &n) || n < MILTER_VERSION_MIN || n > MILTER_VERSION_MAX || offer->version)
			return -1;
		offer->version = (uint32_t)n;
	}
	if (offer->version == 0)
		return -1;
	offer->actions = ALL_ACTIONS;
	offer->protocol = protocol_of(offer->version) | more;
	offer->untold = EVENTS & ~offer->protocol;
	return 0;
}

void milter_terms_put(struct buf *out, const struct milter_terms *offer)
{
	size_t start = milter_packet_begin(out, MILTER_NEGOTIATE);

	milter_put_u32(out, offer->version);
	milter_put_u32(out, offer->actions);
	milter_put_u32(out, offer->protocol);
	milter_packet_end(out, start);
}

static bool take_u32(struct str *data, uint32_t *n)
{
	const unsigned char *o = (const unsigned char *)data->p;

	if (data->n < 4)
		return false;
	*n = (uint32_t)o[0] << 24 | (uint32_t)o[1] << 16 | (uint32_t)o[2] << 8 | o[3];
	*data = str_from(*data, 4);
	return true;
}

/* u32 stage, names of macros, NUL. Stages that we do not know are skipped: a later version may have them. */
static bool take_macros(struct str *data, struct milter_terms *t)
{
	uint32_t stage;
	ptrdiff_t nul;

	if (!take_u32(data, &stage))
		return false;
	nul = str_chr(*data, '\0');
	if (nul < 0)
		return false;
	if (stage < MILTER_STAGES)
		t->macros[stage] = str_sub(*data, 0, (size_t)nul);
	*data = str_from(*data, (size_t)nul + 1);
	return true;
}

const char *milter_terms_take(struct str data, const struct milter_terms *offer, struct milter_terms *t)
{
	memset(t, 0, sizeof *t);
	if (!take_u32(&data, &t->version) || !take_u32(&data, &t->actions) || !take_u32(&data, &t->protocol))
		return "its answer to the negotiation is too short";
	if (t->version < MILTER_VERSION_MIN || t->version > offer->version)
		return "it speaks another version of the protocol: see milter_protocol";
	if (t->actions & ~offer->actions)
		return "it wants to change something that is not known here";
	/* libmilter echoes bits of the sizes that it could take, and others: what was not offered does not hold. */
	t->protocol &= offer->protocol;
	t->untold = offer->untold | (EVENTS & ~protocol_of(t->version));
	while (data.n > 0)
		if (!take_macros(&data, t))
			return "its list of macros is cut off";
	return NULL;
}

bool milter_terms_tells(const struct milter_terms *t, enum milter_event e)
{
	return !((t->protocol | t->untold) & milter_event_row(e)->no_event);
}

bool milter_terms_answers(const struct milter_terms *t, enum milter_event e)
{
	return milter_terms_tells(t, e) && !(t->protocol & milter_event_row(e)->no_reply);
}
