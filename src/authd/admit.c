/* Before a password is looked at: may it be, at once, later, or not? defence.h decides. */
#include "authd/login.h"

#include "base/log.h"

#include <time.h>

uint64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void login_guard(struct login *l)
{
	struct str address = l->has_no_penalty ? STR("") : l->vars.remote_ip;

	defence_guard(&l->authd->defence, l->vars.user, address, l->vars.pass, &l->guard);
	policy_hash(l);
}

static void refuse(struct login *l, const struct defence_answer *why)
{
	struct buf text = BUF_INIT(1024);

	defence_text(&l->guard, why, &text);
	log_info("auth: login refused: user=<%.*s>, method=%s, rip=%.*s: %.*s", STR_ARG(l->vars.user), l->mech->name,
		STR_ARG(l->vars.remote_ip), STR_ARG(buf_str(&text)));
	l->reason = arena_dup(l->mem, buf_str(&text));
	buf_free(&text);
	login_refuse(l);
}

static void ask(struct login *l);

static void ask_again(struct login *l)
{
	l->state = LOGIN_WORK;
	ask(l);
}

static void ask(struct login *l)
{
	struct defence_answer why;
	enum defence_step step = defence_ask(&l->authd->defence, &l->guard, wall_ms(), &why);

	if (step == DEFENCE_REFUSE) {
		refuse(l, &why);
	} else if (step == DEFENCE_HOLD) {
		l->state = LOGIN_HOLD;
		l->on_time = ask_again;
		login_wait(l, uv_now(l->authd->child.loop) + why.ms);
	} else {
		policy_before(l, l->admitted);
	}
}

void login_admit(struct login *l, void (*admitted)(struct login *l))
{
	l->admitted = admitted;
	ask(l);
}
