#include "authd/fault.h"

#include "authd/given.h"
#include "authd/trace.h"
#include "base/log.h"

static const char *line(const struct login *l, const char *what)
{
	return arena_printf(l->mem, "auth: %s(%.*s,%.*s): %s (method %s)", l->authd->set->passdb[l->passdb].name,
		STR_ARG(l->vars.user), STR_ARG(l->vars.remote_ip), what, l->mech->name);
}

static bool is_better(enum fault_knows knows, enum fault_knows than)
{
	return knows > than || (knows == than && knows != FAULT_CAUSE);
}

void fault_note(struct login *l, enum fault_knows knows, const char *what)
{
	struct login_fault *f = &l->fault;

	if (f->what == NULL || is_better(knows, f->knows)) {
		f->knows = knows;
		f->what = arena_cdup(l->mem, str_c(what));
	}
	if (l->authd->set->passdb[l->passdb].is_quiet || (f->line && !is_better(knows, f->line_knows)))
		return;
	/* As it is now: the next passdb may be asked for another name. */
	f->line_knows = knows;
	f->line = line(l, what);
}

/* No database has found it right, as far as they were asked, and none knows it to be right, and refuses him for another cause. */
static bool is_wrong(const struct login *l)
{
	return !l->chain.is_verified && l->fault.knows != FAULT_CAUSE;
}

const char *fault_log(const struct login *l)
{
	if (l->fault.line)
		log_info("%s%s", l->fault.line, is_wrong(l) ? given_password(l) : "");
	return l->fault.what;
}

void fault_away(struct login *l)
{
	const struct lookup *u = l->more.result == LOOKUP_FAILED ? &l->more : &l->lookup;

	if (l->fault.away == NULL && u->result == LOOKUP_FAILED)
		l->fault.away = trace_lookup_fault(u);
}

void fault_say(struct login *l, const char *what)
{
	l->fault.away = what;
	if (!l->authd->set->passdb[l->passdb].is_quiet)
		log_info("%s", line(l, what));
}
