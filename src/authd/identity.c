/* Who is it, whom does he want to be, and from where: names and networks. */
#include "authd/login.h"

#include "base/utf8.h"

#include <arpa/inet.h>

/* ---- the user's name ---- */

static bool has_octet(const char *set, char c)
{
	return c && strchr(set, c) != NULL;
}

int username_normalise(const struct settings *set, struct vars *v, struct str name, struct arena *mem, const char **why)
{
	char *p = arena_cdup(mem, name);
	struct vars own = *v;

	if (!utf8_is_valid(name) || name.n == 0 || str_chr(name, '\0') >= 0) {
		*why = "the user name is not UTF-8";
		return -1;
	}
	for (size_t i = 0; i < name.n; i++) {
		for (const char *t = set->username_translation; *t; t += 2)
			if (t[0] == p[i]) {
				p[i] = t[1];
				break;
			}
		if (*set->username_chars && !has_octet(set->username_chars, p[i])) {
			*why = arena_printf(mem, "octet 0x%02x in the user name is not in auth_username_chars",
				(unsigned)(unsigned char)p[i]);
			return -1;
		}
	}
	if (*set->default_realm && strchr(p, '@') == NULL)
		p = arena_printf(mem, "%s@%s", p, set->default_realm);
	vars_set_user(&own, str_c(p));
	if (set->username_format.first)
		vars_set_user(&own, template_expand(&set->username_format, &own, mem));
	if (own.user.n == 0) {
		*why = "auth_username_format leaves nothing of the user name";
		return -1;
	}
	v->user = own.user;
	v->username = own.username;
	v->domain = own.domain;
	return 0;
}

/* ---- allow_nets ---- */

static bool is_in_net(struct str net, const unsigned char *address, int family, size_t size)
{
	ptrdiff_t slash = str_chr(net, '/');
	char text[INET6_ADDRSTRLEN] = { 0 };
	unsigned char base[16];
	uint64_t bits = size * 8;

	if (slash >= 0 && (!str_u64(str_from(net, (size_t)slash + 1), &bits) || bits > size * 8))
		return false;
	net = slash < 0 ? net : str_sub(net, 0, (size_t)slash);
	if (net.n == 0 || net.n >= sizeof text)
		return false;
	memcpy(text, net.p, net.n);
	if (inet_pton(family, text, base) != 1)
		return false;
	if (memcmp(base, address, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || (base[bits / 8] ^ address[bits / 8]) >> (8 - bits % 8) == 0;
}

bool is_in_nets(struct str list, struct str address)
{
	char text[INET6_ADDRSTRLEN] = { 0 };
	unsigned char octets[16];
	struct str net;
	int family;

	if (address.n >= sizeof text)
		return false;
	if (address.n)
		memcpy(text, address.p, address.n);
	family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (address.n && inet_pton(family, text, octets) != 1)
		return false;
	while (str_word(&list, ", \t", &net)) {
		if (str_eq(net, STR("local")) && address.n == 0)
			return true;
		if (address.n && is_in_net(net, octets, family, family == AF_INET6 ? 16 : 4))
			return true;
	}
	return false;
}

/* ---- acting as another user ---- */

/* "target*master" with auth_master_user_separator = *. */
static struct str split_master(const struct settings *set, struct str *authcid)
{
	ptrdiff_t at = *set->master_separator ? str_chr(*authcid, *set->master_separator) : -1;
	struct str target = at < 0 ? STR("") : str_sub(*authcid, 0, (size_t)at);

	if (at >= 0)
		*authcid = str_from(*authcid, (size_t)at + 1);
	return target;
}

enum identity identity_set(struct login *l, struct str authcid, struct str authzid, const char **why)
{
	const struct settings *set = l->authd->set;
	struct str target;
	struct vars as;

	target = split_master(set, &authcid);
	if (target.n == 0)
		target = authzid;
	if (username_normalise(set, &l->vars, authcid, l->mem, why) < 0)
		return IDENTITY_BAD;
	as = l->vars;
	if (target.n == 0)
		return IDENTITY_OK;
	if (username_normalise(set, &as, target, l->mem, why) < 0)
		return IDENTITY_BAD;
	if (str_eq(as.user, l->vars.user))
		return IDENTITY_OK;
	/* RFC 4616 sec. 2: that needs a permission; those in a passdb with master = yes have it. */
	if (!set->has_master) {
		*why = "may not act as another user";
		return IDENTITY_NOT_ALLOWED;
	}
	l->vars.login_user = as.user;
	return IDENTITY_OK;
}

void identity_become(struct login *l)
{
	struct str target = l->vars.login_user;

	l->vars.master_user = l->vars.auth_user = l->vars.user;
	l->vars.login_user = STR("");
	vars_set_user(&l->vars, target);
}
