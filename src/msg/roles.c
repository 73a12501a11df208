#include "msg/roles.h"

static const char *const names[ROLE_COUNT] = { "none", "master", "smtpd", "authd", "mapd", "queued", "relay", "deliver",
	"fetchd", "authpam", "keyd" };

const char *role_name(enum role r)
{
	return r < ROLE_COUNT ? names[r] : names[0];
}

enum role role_find(struct str name)
{
	for (int r = ROLE_MASTER; r < ROLE_COUNT; r++)
		if (str_eq(name, str_c(names[r])))
			return (enum role)r;
	return ROLE_NONE;
}
