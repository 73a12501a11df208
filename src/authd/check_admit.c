/* May he whose password is right log in, and what is said of him? */
#include "authd/check_impl.h"

#include "auth/auth_proto.h"
#include "authd/db.h"
#include "authd/fields.h"

/* Columns that are for this service, or for a userdb that was prefetched, and not for the client. */
static bool is_own_column(struct str name)
{
	static const char *const own[] = { "password", "password_noscheme", "nopassword", "user", "username", "domain",
		"allow_nets", "allow_real_nets", "noauthenticate", "nodelay", "fail", "nologin", "reason", "login_user",
		"check_client_fp", "check_client_cert_fp", "check_client_pubkey_fp", "k5principals" };

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (str_ieq(name, str_c(own[i])))
			return true;
	return str_has_iprefix(name, STR("userdb_")) || str_has_iprefix(name, STR("event_"));
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

		if (is_own_column(f->name) || f->is_null)
			continue;
		if (buf_add_char(&b, '\t') < 0 || auth_escape(&b, f->name) < 0 || buf_add_char(&b, '=') < 0 ||
			auth_escape(&b, f->value) < 0)
			b.n = before;
	}
	l->fields = arena_dup(l->mem, buf_str(&b));
	buf_wipe(&b);
}

/* The database may know the user by another name: column user, or username and domain. */
static void take_name(struct login *l)
{
	struct str user = fields_get(l->row, "user"), name = fields_get(l->row, "username"),
		   domain = fields_get(l->row, "domain");

	if (user.n)
		vars_set_user(&l->vars, user);
	else if (name.n && domain.n)
		vars_set_user(&l->vars, str_c(arena_printf(l->mem, "%.*s@%.*s", STR_ARG(name), STR_ARG(domain))));
	else if (name.n)
		vars_set_user(&l->vars, name);
}

/* The password is right. May he log in? */
enum db_result check_admit(struct login *l)
{
	struct str nets = fields_get(l->row, "allow_nets"), real_nets = fields_get(l->row, "allow_real_nets"),
		   real_ip = l->vars.real_rip.n ? l->vars.real_rip : l->vars.remote_ip;
	const char *print;

	if ((nets.n && !is_in_nets(nets, l->vars.remote_ip)) || (real_nets.n && !is_in_nets(real_nets, real_ip))) {
		check_say(l, "allow_nets check failed");
		return DB_MISMATCH;
	}
	print = client_print_check(l, l->row);
	if (print) {
		check_say(l, print);
		return DB_MISMATCH;
	}
	l->reason = fields_get(l->row, "reason");
	if (fields_is_set(l->row, "fail")) {
		check_say(l, "the field \"fail\" is set");
		return DB_MISMATCH;
	}
	if (fields_is_set(l->row, "nologin")) {
		check_say(l, "the field \"nologin\" is set");
		return DB_DISABLED;
	}
	l->reason = STR("");
	take_name(l);
	l->kept = fields_merge(l->kept, l->row, l->mem);
	l->vars.passdb = l->kept;
	return DB_OK;
}
