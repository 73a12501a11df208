#include "relay/relay.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* "0.12", "3.4", "27": two digits that matter, as Postfix writes delays. */
static const char *delay_text(int64_t us, char *out, size_t size)
{
	double s = us > 0 ? (double)us / 1e6 : 0;
	size_t n;

	snprintf(out, size, s >= 10 ? "%.0f" : s >= 1 ? "%.1f" : "%.2f", s);
	n = strlen(out);
	while (strchr(out, '.') && out[n - 1] == '0')
		out[--n] = '\0';
	if (out[n - 1] == '.')
		out[n - 1] = '\0';
	return out;
}

static void log_result(const struct delivery *d, size_t i, const struct trouble *t, const char *status)
{
	static const char *const parts = "/";
	const struct envelope_rcpt *r = &d->job.env.rcpt[i];
	int64_t now = now_us(), arrival = (int64_t)d->job.env.arrival_us, active = (int64_t)d->job.active_us;
	int64_t up = d->up_us ? d->up_us : now;
	char all[24], part[4][24], id[ENVELOPE_ID_TEXT];
	struct buf original = BUF_INIT(2048);

	delay_text(now - arrival, all, sizeof all);
	delay_text(active - arrival, part[0], sizeof part[0]);
	delay_text(d->begin_us - active, part[1], sizeof part[1]);
	delay_text(up - d->begin_us, part[2], sizeof part[2]);
	delay_text(now - up, part[3], sizeof part[3]);
	if (r->original.n > 0 && !str_eq(r->original, r->address))
		buf_addf(&original, "orig_to=<%.*s>, ", STR_ARG(r->original));
	log_info("%s: to=<%.*s>, %srelay=%.*s, delay=%s, delays=%s%s%s%s%s%s%s, dsn=%s, status=%s (%.*s)",
		envelope_id_text(d->job.id, id), STR_ARG(r->address), original.p ? original.p : "", STR_ARG(t->relay),
		all, part[0], parts, part[1], parts, part[2], parts, part[3], t->dsn, status, STR_ARG(t->text));
	buf_free(&original);
}

void result_set(
	struct delivery *d, size_t i, enum rcpt_status status, const struct trouble *t, enum rcpt_relayed relayed)
{
	static const char *const names[] = { "", "sent", "deferred", "bounced" };
	struct rcpt_result *r = &d->result[i];

	r->index = d->job.env.rcpt[i].index;
	r->status = (uint8_t)status;
	r->nexthop_dead = status == RCPT_DEFERRED && t->dead;
	r->relayed = status == RCPT_SENT ? (uint8_t)relayed : RELAYED_NOT;
	r->by_passed = status == RCPT_SENT && relayed != RELAYED_NOT && d->message.passed_by;
	r->dsn = arena_dup(d->mem, str_c(t->dsn));
	r->remote_mta = t->remote_mta;
	r->diagnostic = t->diagnostic.n > 0 ? t->diagnostic : t->text;
	r->text = t->text;
	relay.sent += status == RCPT_SENT;
	relay.deferred += status == RCPT_DEFERRED;
	relay.bounced += status == RCPT_BOUNCED;
	log_result(d, i, t, names[status]);
}
