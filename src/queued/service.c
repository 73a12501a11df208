/* service.c - what delivers: rows of master.cf, and their limits of main.cf. */
#include "queued/queued.h"
#include "base/log.h"
#include "conf/transport.h"

#include <stdio.h>

static enum service_kind kind_of(enum transport t)
{
	switch (t) {
	case TRANSPORT_SMTP:
	case TRANSPORT_RELAY:
		return SERVICE_RELAY;
	case TRANSPORT_LMTP:
	case TRANSPORT_VIRTUAL:
	case TRANSPORT_LOCAL:
		return SERVICE_DELIVER;
	case TRANSPORT_ERROR:
		return SERVICE_ERROR;
	case TRANSPORT_DISCARD:
		return SERVICE_DISCARD;
	case TRANSPORT_RETRY:
	case TRANSPORTS:
		break;
	}
	return SERVICE_RETRY;
}

static unsigned limit(const struct conf_view *v, const char *service, const char *suffix, const char *otherwise)
{
	char name[128];
	const char *value;
	uint64_t n;

	snprintf(name, sizeof name, "%s%s", service, suffix);
	value = conf_lookup(v, name);
	if (value == NULL || !str_u64(str_c(value), &n))
		n = (uint64_t)conf_int(v, otherwise);
	return n == 0 || n > UINT32_MAX ? UINT32_MAX : (unsigned)n; /* 0: no limit */
}

/* What a parameter says of a service that master.cf does not have was not checked. */
static uint64_t pause_of(const struct conf_view *v, const char *service, bool is_known)
{
	char name[512] = "default_destination_rate_delay";

	if (is_known && strlen(service) < sizeof name / 2)
		snprintf(name, sizeof name, "%s_destination_rate_delay", service);
	return (uint64_t)conf_seconds(v, name) * 1000;
}

static void set_limits(const struct conf_view *v, struct service *s, bool is_known)
{
	s->window_first = limit(v, s->name, "_initial_destination_concurrency", "initial_destination_concurrency");
	s->window_limit = limit(v, s->name, "_destination_concurrency_limit", "default_destination_concurrency_limit");
	s->rcpts_limit = limit(v, s->name, "_destination_recipient_limit", "default_destination_recipient_limit");
	s->cohort_limit = limit(v, s->name, "_destination_concurrency_failed_cohort_limit",
		"default_destination_concurrency_failed_cohort_limit");
	s->pause_ms = pause_of(v, s->name, is_known);
	if (s->pause_ms > 0)
		s->window_limit = 1;
	if (s->rcpts_limit == 1) /* postconf(5): then the limit is of recipients, not of domains; a job is one anyway */
		s->window_first = s->window_limit;
	if (s->window_first > s->window_limit)
		s->window_first = s->window_limit;
	if (s->rcpts_limit > RCPTS_PER_JOB_MAX)
		s->rcpts_limit = RCPTS_PER_JOB_MAX;
}

/* Mail for such a service waits, and this is what postqueue(1) shows as the reason. A name may be as long as a table's value. */
static char *what_is_wrong(const struct conf_service *row, const char *name)
{
	struct buf b = BUF_INIT(1024);

	if (row == NULL) {
		buf_addf(&b, "master.cf has no service %.200s of type unix", name);
	} else {
		buf_addf(&b, "master.cf, line %u: the service %.200s has the command %.200s, which is none of",
			row->line, name, row->command);
		for (enum transport t = 0; t < TRANSPORTS; t++)
			buf_addf(&b, "%s %s", t > 0 ? "," : "", transport_command(t));
	}
	log_warn("transport %.200s: %s; its mail waits", name, b.p);
	return b.p;
}

struct service *service_get(struct queued *q, struct str name)
{
	const struct conf_service *row = conf_service_find(q->child.conf, name, "unix");
	enum transport transport;
	struct service *s;

	for (s = q->services; s; s = s->next)
		if (str_eq(str_c(s->name), name))
			return s;
	s = xcalloc(1, sizeof *s);
	s->name = xstrndup(name);
	transport = transport_find(conf_transport_command(q->child.conf, name));
	s->kind = kind_of(transport);
	if (transport == TRANSPORTS)
		s->fault = what_is_wrong(row, s->name);
	set_limits(q->child.main, s, row != NULL);
	s->next = q->services;
	q->services = s;
	return s;
}
