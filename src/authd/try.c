#include "authd/try.h"
#include "auth/auth_proto.h"
#include "authd/login.h"
#include "authd/try_impl.h"

#include <stdio.h>

static void print_lines(const char *what, struct buf *lines)
{
	struct str rest = buf_str(lines), line;

	while (str_word(&rest, "\n", &line))
		printf("%s\t%.*s\n", what, STR_ARG(line));
	buf_free(lines);
}

/* For logins, or for questions about users; NULL: for others. */
static const char *what_listens(enum listener_type type)
{
	if (type == LISTEN_AUTH || type == LISTEN_LOGIN)
		return "listener";
	return type == LISTEN_USERDB || type == LISTEN_MASTER ? "userdb" : NULL;
}

static void print_offers(const struct settings *set)
{
	for (size_t i = 0; i < set->n_mechs; i++) {
		struct buf flags = BUF_INIT(1024);

		auth_add_flags(&flags, login_mech_flags(set->mech[i]));
		printf("mechanism\t%s%s\n", set->mech[i]->name, flags.n ? flags.p : "");
		buf_free(&flags);
	}
	for (size_t i = 0; i < set->n_listeners; i++) {
		const char *what = what_listens(set->listener[i].type);

		if (what && set->listener[i].host == NULL)
			printf("%s\t%s\n", what, set->listener[i].path);
	}
}

int try_settings(const char *file, const char *queue, const char *auth_owner, const char *mail_owner)
{
	struct buf errors = BUF_INIT(1024 * 1024), warnings = BUF_INIT(1024 * 1024);
	struct settings *set = settings_load(file, &errors, &warnings);
	bool is_good;

	if (set)
		try_listeners(set, queue, &errors);
	if (set && try_become(auth_owner, mail_owner, &errors) == 0)
		try_databases(set, &warnings);
	is_good = errors.n == 0;
	print_lines("warning", &warnings);
	print_lines("fault", &errors);
	if (is_good)
		print_offers(set);
	settings_free(&set);
	return is_good ? 0 : 1;
}
