/* reason.c - texts that many messages share: why they were deferred. A million messages have few reasons. */
#include "queued/queued.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 1024, TEXT_MAX = 400 };

struct reason {
	uint32_t users;
	uint32_t hash_next; /* number + 1 */
	uint32_t slot;
	uint8_t dsn_octets;
	char *text; /* the status code and the text behind it */
	size_t n;
};

static struct {
	struct reason *at;	 /* [0] is "no reason" */
	uint32_t n, cap, unused; /* unused: number of the first free one, linked by hash_next */
	uint32_t slot[SLOTS];
} reasons;

static uint32_t new_number(void)
{
	uint32_t i = reasons.unused;

	if (i != 0) {
		reasons.unused = reasons.at[i].hash_next;
		return i;
	}
	if (reasons.n == reasons.cap) {
		reasons.cap = reasons.cap ? reasons.cap * 2 : 64;
		reasons.at = xrealloc(reasons.at, reasons.cap * sizeof *reasons.at);
	}
	if (reasons.n == 0)
		memset(&reasons.at[reasons.n++], 0, sizeof *reasons.at);
	return reasons.n++;
}

uint32_t reason_get(struct str dsn, struct str text)
{
	char key[16 + TEXT_MAX];
	struct str all;
	uint32_t slot, i;

	dsn = str_sub(dsn, 0, 15);
	text = str_sub(text, 0, TEXT_MAX);
	if (dsn.n + text.n == 0)
		return 0;
	memcpy(key, dsn.p, dsn.n);
	memcpy(key + dsn.n, text.p, text.n);
	all = str_pn(key, dsn.n + text.n);
	slot = (uint32_t)(str_hash(all) % SLOTS);
	for (i = reasons.slot[slot]; i; i = reasons.at[i].hash_next) {
		if (reasons.at[i].dsn_octets != dsn.n || !str_eq(str_pn(reasons.at[i].text, reasons.at[i].n), all))
			continue;
		reasons.at[i].users++;
		return i;
	}
	i = new_number();
	reasons.at[i] = (struct reason){ 1, reasons.slot[slot], slot, (uint8_t)dsn.n, xstrndup(all), all.n };
	reasons.slot[slot] = i;
	return i;
}

void reason_put(uint32_t reason)
{
	struct reason *r;
	uint32_t *at;

	if (reason == 0)
		return;
	r = &reasons.at[reason];
	require(r->users > 0);
	if (--r->users > 0)
		return;
	for (at = &reasons.slot[r->slot]; *at != reason; at = &reasons.at[*at].hash_next)
		;
	*at = r->hash_next;
	free(r->text);
	r->text = NULL;
	r->hash_next = reasons.unused;
	reasons.unused = reason;
}

struct str reason_dsn(uint32_t reason)
{
	return reason ? str_pn(reasons.at[reason].text, reasons.at[reason].dsn_octets) : str_pn("", 0);
}

struct str reason_text(uint32_t reason)
{
	return reason ? str_from(str_pn(reasons.at[reason].text, reasons.at[reason].n), reasons.at[reason].dsn_octets)
		      : str_pn("", 0);
}
