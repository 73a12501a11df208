/* rate.c - how fast a destination takes mail, or does not: recipients a minute. */
#include "queued/queued.h"

enum { MINUTE_S = 60 };

static void turn(const struct queued *q, struct dest *d)
{
	uint32_t minute = loop_now_s(q) / MINUTE_S;

	if (minute == d->minute)
		return;
	if (minute == d->minute + 1)
		memcpy(d->counted[1], d->counted[0], sizeof d->counted[1]);
	else
		memset(d->counted[1], 0, sizeof d->counted[1]);
	memset(d->counted[0], 0, sizeof d->counted[0]);
	d->minute = minute;
}

void dest_count(const struct queued *q, struct dest *d, const struct unit *u)
{
	turn(q, d);
	for (size_t i = 0; i < u->n; i++)
		if (u->rcpt[i]->outcome >= RCPT_SENT && u->rcpt[i]->outcome <= RCPT_BOUNCED)
			d->counted[0][u->rcpt[i]->outcome - 1]++;
}

double dest_rate(const struct queued *q, const struct dest *d, enum rcpt_status status)
{
	uint32_t now = loop_now_s(q), minute = now / MINUTE_S, gone = now % MINUTE_S;
	uint32_t this = minute == d->minute ? d->counted[0][status - 1] : 0;
	uint32_t before = minute == d->minute	    ? d->counted[1][status - 1]
			  : minute == d->minute + 1 ? d->counted[0][status - 1]
						    : 0;

	return this + (double)before * (MINUTE_S - gone) / MINUTE_S;
}
