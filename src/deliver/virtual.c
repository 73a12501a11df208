/* virtual.c - service virtual: a mailbox below virtual_mailbox_base, found in virtual_mailbox_maps (virtual(8)). */
#include "deliver/deliver.h"
#include "deliver/path.h"

#include <stdlib.h>

enum step { STEP_MAILBOX, STEP_UID, STEP_GID };
static const char *const tables[] = {
	[STEP_MAILBOX] = "virtual_mailbox_maps",
	[STEP_UID] = "virtual_uid_maps",
	[STEP_GID] = "virtual_gid_maps",
};

static void on_answer(struct map_request *ask);

static void ask_step(struct rcpt_run *q, enum step step)
{
	const struct run *r = q->run;

	map_done(&q->ask);
	q->ask = (struct map_request){ .on_answer = on_answer };
	q->step = step;
	map_lookup(r->deliver->map, &q->ask, str_c(conf_str(r->view, tables[step])), q->rcpt->address, MAP_ADDRESS);
}

/*
 * A value with "/" is a path. One without is a user's name, as a user database gives it: DOMAIN/USER/ of that name if
 * it is an address, else of the recipient.
 */
static bool take_path(struct rcpt_run *q, struct str value)
{
	struct run *r = q->run;
	struct buf path = BUF_INIT(PATH_OCTETS_MAX);
	struct str delimiters = str_c(conf_str(r->view, "recipient_delimiter"));
	const char *fault;

	value = str_trim(value);
	if (str_chr(value, '/') >= 0) {
		while (str_has_prefix(value, STR("/")))
			value = str_from(value, 1);
		buf_add_str(&path, value);
	} else if (str_chr(value, '@') > 0) {
		path_of_address(&path, value, STR(""));
	} else {
		path_of_address(&path, q->rcpt->address, delimiters);
	}
	fault = path_fault(buf_str(&path));
	if (fault)
		rcpt_fail(q, RCPT_DEFERRED, "4.3.5", "virtual_mailbox_maps gives \"%.*s\": the mailbox path %s",
			STR_ARG(value), fault);
	else
		q->worker.mailbox.path = arena_dup(r->mem, buf_str(&path));
	buf_free(&path);
	return fault == NULL;
}

static bool take_number(struct rcpt_run *q, struct str value, uint64_t least, uint64_t *n)
{
	if (!str_u64(str_trim(value), n) || *n > INT32_MAX)
		rcpt_fail(q, RCPT_DEFERRED, "4.3.5", "%s gives \"%.*s\": a number is needed", tables[q->step],
			STR_ARG(value));
	else if (*n < least)
		rcpt_fail(q, RCPT_DEFERRED, "4.3.5", "%s gives %llu: below virtual_minimum_uid (%llu)", tables[q->step],
			(unsigned long long)*n, (unsigned long long)least);
	else
		return true;
	return false;
}

static void to_mailbox(struct rcpt_run *q)
{
	const struct conf_view *v = q->run->view;
	struct mailbox *m = &q->worker.mailbox;
	const char *locks = conf_str(v, "virtual_mailbox_lock");

	m->base = conf_str(v, "virtual_mailbox_base");
	m->base_name = "virtual_mailbox_base";
	m->limit = (uint64_t)conf_int(v, "virtual_mailbox_limit");
	m->limit_name = "virtual_mailbox_limit";
	m->lock_fcntl = strstr(locks, "fcntl") != NULL;
	m->lock_dot = strstr(locks, "dotlock") != NULL;
	m->lock_flock = strstr(locks, "flock") != NULL;
	m->extra_gid = m->gid;
	rcpt_to_mailbox(q);
}

static void on_mailbox(struct rcpt_run *q)
{
	if (!take_path(q, q->ask.value))
		return;
	if (q->run->deliver->child.root)
		ask_step(q, STEP_UID);
	else
		to_mailbox(q);
}

static void on_uid(struct rcpt_run *q)
{
	int64_t least = conf_int(q->run->view, "virtual_minimum_uid");
	uint64_t n;

	if (!take_number(q, q->ask.value, least > 1 ? (uint64_t)least : 1, &n))
		return;
	q->worker.mailbox.uid = (uid_t)n;
	ask_step(q, STEP_GID);
}

static void on_gid(struct rcpt_run *q)
{
	uint64_t n;

	if (!take_number(q, q->ask.value, 1, &n))
		return;
	q->worker.mailbox.gid = (gid_t)n;
	to_mailbox(q);
}

static void on_answer(struct map_request *ask)
{
	static void (*const steps[])(
		struct rcpt_run *) = { [STEP_MAILBOX] = on_mailbox, [STEP_UID] = on_uid, [STEP_GID] = on_gid };
	struct rcpt_run *q = container_of(ask, struct rcpt_run, ask);
	const struct str *to = &q->rcpt->address;

	if (ask->status == MAP_TEMPORARY)
		rcpt_fail(q, RCPT_DEFERRED, "4.3.0", "%s lookup error for %.*s: %.*s", tables[q->step], STR_ARG(*to),
			STR_ARG(ask->why));
	else if (ask->status == MAP_FOUND)
		steps[q->step](q);
	else if (q->step == STEP_MAILBOX)
		rcpt_fail(q, RCPT_BOUNCED, "5.1.1", "unknown user: \"%.*s\"", STR_ARG(*to));
	else
		rcpt_fail(q, RCPT_DEFERRED, "4.3.5", "recipient %.*s: not found in %s", STR_ARG(*to), tables[q->step]);
}

void virtual_begin(struct rcpt_run *q)
{
	if (*conf_str(q->run->view, "virtual_mailbox_base") == '/')
		ask_step(q, STEP_MAILBOX);
	else
		rcpt_fail(q, RCPT_DEFERRED, "4.3.5",
			"virtual_mailbox_base is not set: it must be the absolute path of the directory that holds "
			"the mailboxes");
}
