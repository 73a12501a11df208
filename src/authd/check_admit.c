/* May he whose password is right log in, and what is said of him? */
#include "authd/check_impl.h"

#include "auth/auth_proto.h"
#include "authd/db.h"
#include "authd/fields.h"
#include "base/random.h"

enum { PUT_OFF_MAX_S = 300 };

static uint32_t random_below(uint32_t n)
{
	uint32_t r;

	random_octets(&r, sizeof r);
	return r % n;
}

void check_fields(struct login *l)
{
	struct buf b = BUF_INIT(8192);

	if (l->vars.auth_user.n)
		auth_add_field(&b, "auth_user=", l->vars.auth_user);
	client_original_user(l, &b);
	client_forward_fields(l, &b);
	for (size_t i = 0; l->kept && i < l->kept->n; i++) {
		const struct sql_field *f = &l->kept->field[i];
		size_t before = b.n;

		if (fields_is_own(f->name) || f->is_null)
			continue;
		if (buf_add_char(&b, '\t') < 0 || auth_escape(&b, f->name) < 0 || buf_add_char(&b, '=') < 0 ||
			auth_escape(&b, f->value) < 0)
			buf_cut(&b, before);
	}
	l->fields = arena_dup(l->mem, buf_str(&b));
	buf_wipe(&b);
}

/* Not in one of them: a list without networks, "" as well, permits nobody, as in Dovecot; NULL is no list. */
static bool is_outside(const struct sql_row *row, const char *name, struct str address)
{
	const struct sql_field *f = row ? sql_field_find(row, name) : NULL;

	return f && !f->is_null && !is_in_nets(f->value, address);
}

enum db_result row_permits(const struct sql_row *row, const struct vars *v, const char **why)
{
	*why = NULL;
	if (is_outside(row, "allow_nets", v->remote_ip))
		*why = "allow_nets check failed";
	else if (is_outside(row, "allow_real_nets", v->real_rip.n ? v->real_rip : v->remote_ip))
		*why = "allow_real_nets check failed";
	else if (fields_is_set(row, "fail"))
		*why = "the field \"fail\" is set";
	if (*why)
		return DB_MISMATCH;
	if (!fields_is_set(row, "nologin"))
		return DB_OK;
	*why = "the field \"nologin\" is set";
	return DB_DISABLED;
}

/* "1700000000" or, with up to so many seconds of chance behind it, "1700000000+10". */
static const char *put_off(struct login *l)
{
	struct str value = fields_get(l->row, "delay_until"), seconds = value;
	ptrdiff_t plus = str_chr(value, '+');
	uint64_t until, more = 0, now = wall_ms() / 1000;

	if (value.n == 0)
		return NULL;
	if (plus >= 0)
		seconds = str_sub(value, 0, (size_t)plus);
	if (!str_u64(seconds, &until) || (plus >= 0 && !str_u64(str_from(value, (size_t)plus + 1), &more)))
		return "the field \"delay_until\" is no time in seconds since 1970";
	if (until <= now)
		return NULL;
	if (until - now > PUT_OFF_MAX_S)
		return "the field \"delay_until\" is more than five minutes ahead";
	more = more < PUT_OFF_MAX_S ? more : PUT_OFF_MAX_S;
	until += more ? random_below((uint32_t)more) : 0;
	l->put_off_ms =
		(until - now < PUT_OFF_MAX_S ? until - now : PUT_OFF_MAX_S) * 1000 + uv_now(l->authd->child.loop);
	return NULL;
}

/* The master of himself: what he proved is for another user, whom the database names. */
static void take_login_user(struct login *l)
{
	struct str user = fields_get(l->row, "login_user");

	if (user.n == 0 || l->vars.master_user.n > 0) /* he is another one already: there would be no end */
		return;
	l->vars.login_user = user;
	l->chain.is_master = true;
}

enum db_result check_admit(struct login *l)
{
	const char *why, *print;
	enum db_result r = row_permits(l->row, &l->vars, &why);

	print = client_print_check(l, l->row);
	if (print) {
		check_say(l, print);
		return DB_MISMATCH;
	}
	if (why == NULL && (why = put_off(l)) != NULL)
		r = DB_MISMATCH;
	if (why) {
		l->reason = fields_get(l->row, "reason");
		check_say(l, why);
		return r;
	}
	vars_set_user(&l->vars, fields_user(l->row, l->vars.user, true, l->mem));
	take_login_user(l);
	l->kept = fields_merge(l->kept, l->row, l->mem);
	l->vars.passdb = l->kept;
	return DB_OK;
}
