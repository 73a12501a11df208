/* smtp_discard_ehlo_keyword_address_maps: what of a server's EHLO is passed over, by its address; where it says nothing,
 * smtp_discard_ehlo_keywords. Asked for all targets before the first connection: they may race. */
#include "relay/relay.h"

#include "base/log.h"
#include "smtp/esmtp.h"

static void ask_next(struct delivery *d);

static void give_up(struct delivery *d)
{
	struct trouble t = { .dsn = "4.3.0",
		.dead = true,
		.relay = STR("none"),
		.text = STR("smtp_discard_ehlo_keyword_address_maps: table lookup failure") };

	log_warn("smtp_discard_ehlo_keyword_address_maps: %.*s", STR_ARG(d->map.why));
	map_done(&d->map);
	d->trouble = t;
	d->n_target = 0;
	d->then_discard(d);
}

static void on_answer(struct map_request *r)
{
	struct delivery *d = container_of(r, struct delivery, map);

	if (r->status == MAP_TEMPORARY) {
		give_up(d);
		return;
	}
	d->target[d->n_judged++].ignore = r->status == MAP_FOUND ? esmtp_mask(r->value) : d->service->ignore;
	map_done(r);
	ask_next(d);
}

static void ask_next(struct delivery *d)
{
	if (d->n_judged >= d->n_target) {
		d->then_discard(d);
		return;
	}
	d->map = (struct map_request){ .on_answer = on_answer };
	map_lookup(relay.maps, &d->map, str_c(d->service->ignore_maps), str_c(d->target[d->n_judged].text), MAP_EXACT);
}

void discard_find(struct delivery *d, void (*then)(struct delivery *d))
{
	d->then_discard = then;
	d->n_judged = 0;
	if (*d->service->ignore_maps) {
		ask_next(d);
		return;
	}
	for (size_t i = 0; i < d->n_target; i++)
		d->target[i].ignore = d->service->ignore;
	then(d);
}
