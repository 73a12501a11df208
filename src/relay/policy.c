#include "relay/relay.h"

#include "base/log.h"
#include "smtp/address.h"

/* What tables say about a destination: its TLS level (smtp_tls_policy_maps), our login there (smtp_sasl_password_maps).
 * One request is under way at a time. */

static void give_up(struct delivery *d, const char *name)
{
	struct trouble t = { .dsn = "4.3.0", .dead = true, .relay = STR("none") };

	t.text = str_c(arena_printf(d->mem, "%s: table lookup failure", name));
	log_warn("%s: %.*s", name, STR_ARG(d->map.why));
	map_done(&d->map);
	d->trouble = t;
	delivery_routed(d); /* without a target: all that is left is deferred */
}

/* A policy that cannot be kept must not become a weaker one: its mail waits, and says for what. */
static void refuse(struct delivery *d, struct str why)
{
	struct trouble t = {
		.dsn = "4.3.5", .dead = true, .relay = STR("none")
	}; /* ours to mend, also for REQUIRETLS */

	t.text = str_c(arena_printf(
		d->mem, "TLS policy for %.*s in smtp_tls_policy_maps: %.*s", STR_ARG(d->job.nexthop), STR_ARG(why)));
	log_warn("%.*s", STR_ARG(t.text));
	map_done(&d->map);
	d->trouble = t;
	delivery_routed(d);
}

static void take_policy(struct delivery *d, struct str value)
{
	struct str why;

	if (tls_policy_parse(d->service, value, d->mem, &d->tls, &why) != 0) {
		refuse(d, why);
	} else {
		map_done(&d->map);
		d->then_policy(d);
	}
}

static void ask_policy(struct delivery *d, struct str key);

/* "[host]:port", "host:port", ".host" with its host as `convert` gives it; "": that is none, or the same. */
static struct str other_form(const struct delivery *d, int (*convert)(struct str domain, struct buf *out))
{
	struct str key = d->policy_key, other = STR("");
	size_t from = key.p[0] == '[' || key.p[0] == '.', n = from;
	struct buf host = BUF_INIT(1024);

	while (n < key.n && key.p[n] != ']' && key.p[n] != ':')
		n++;
	if (convert(str_sub(key, from, n - from), &host) == 0 && !str_ieq(buf_str(&host), str_sub(key, from, n - from)))
		other = str_c(arena_printf(d->mem, "%.*s%.*s%.*s", STR_ARG(str_sub(key, 0, from)),
			STR_ARG(buf_str(&host)), STR_ARG(str_from(key, n))));
	buf_free(&host);
	return other;
}

/*
 * The table is asked for sub.example.org, .example.org, .org; for [host] and host:port as they are. An IDN may stand there
 * in either form: before a wider key, whose policy may be weaker, both are asked for. "": that was all.
 */
static struct str next_policy_key(struct delivery *d)
{
	static int (*const forms[])(struct str domain, struct buf * out) = { domain_to_ascii, domain_to_unicode };
	struct str key = d->policy_key, other;
	ptrdiff_t dot = str_chr(str_from(key, 1), '.');

	while (d->policy_form < sizeof forms / sizeof *forms) {
		other = other_form(d, forms[d->policy_form++]);
		if (other.n > 0)
			return other;
	}
	if (dot < 0 || key.p[0] == '[' || str_chr(key, ':') >= 0)
		return STR("");
	d->policy_form = 0;
	d->policy_key = str_from(key, (size_t)dot + 1);
	return d->policy_key;
}

static void on_policy(struct map_request *r)
{
	struct delivery *d = container_of(r, struct delivery, map);

	if (r->status == MAP_TEMPORARY) {
		give_up(d, "smtp_tls_policy_maps");
	} else if (r->status == MAP_FOUND) {
		take_policy(d, r->value);
	} else {
		struct str key = next_policy_key(d);

		map_done(r);
		if (key.n > 0)
			ask_policy(d, key);
		else
			d->then_policy(d);
	}
}

static void ask_policy(struct delivery *d, struct str key)
{
	d->map = (struct map_request){ .on_answer = on_policy };
	map_lookup(relay.maps, &d->map, str_c(d->service->tls_policy), key, MAP_EXACT);
}

void policy_find(struct delivery *d, void (*then)(struct delivery *d))
{
	if (*d->service->tls_policy == '\0') {
		then(d);
		return;
	}
	d->then_policy = then;
	d->policy_key = d->job.nexthop;
	d->policy_form = 0;
	ask_policy(d, d->policy_key);
}

static void ask_login(struct delivery *d);

static void on_login(struct map_request *r)
{
	struct delivery *d = container_of(r, struct delivery, map);
	ptrdiff_t colon = str_chr(r->value, ':');
	bool failed = r->status == MAP_TEMPORARY;

	if (r->status == MAP_NOT_FOUND) {
		map_done(r);
		ask_login(d);
		return;
	}
	if (failed) {
		log_warn("smtp_sasl_password_maps: %.*s", STR_ARG(r->why));
	} else {
		/* "user:password"; without a colon there is no password. */
		d->secret = arena_new(256);
		d->user = arena_dup(d->secret, colon < 0 ? r->value : str_sub(r->value, 0, (size_t)colon));
		d->pass = arena_dup(d->secret, colon < 0 ? str_c("") : str_from(r->value, (size_t)colon + 1));
		mem_wipe((void *)(uintptr_t)r->value.p, r->value.n);
	}
	map_done(r);
	d->then_login(d, failed);
}

static void ask_login(struct delivery *d)
{
	struct str key;

	if (d->next_sasl_key == d->n_sasl_key) {
		d->then_login(d, false);
		return;
	}
	key = str_c(d->sasl_key[d->next_sasl_key++]);
	d->map = (struct map_request){ .on_answer = on_login };
	map_lookup(relay.maps, &d->map, str_c(d->service->sasl_maps), key,
		str_eq(key, d->job.env.sender) ? MAP_ADDRESS : MAP_EXACT);
}

/* As Postfix: by sender where that is asked for, then the server's name, then the nexthop as it is written. */
void login_find(struct delivery *d, const struct target *t, void (*then)(struct delivery *d, bool failed))
{
	arena_wipe(&d->secret);
	d->user = d->pass = (struct str){ NULL, 0 };
	d->n_sasl_key = d->next_sasl_key = 0;
	d->then_login = then;
	if (!d->service->sasl) {
		then(d, false);
		return;
	}
	if (d->service->sasl_by_sender && d->job.env.sender.n > 0)
		d->sasl_key[d->n_sasl_key++] = arena_cdup(d->mem, d->job.env.sender);
	d->sasl_key[d->n_sasl_key++] = arena_cdup(d->mem, t->host);
	d->sasl_key[d->n_sasl_key++] = arena_cdup(d->mem, d->job.nexthop);
	ask_login(d);
}
