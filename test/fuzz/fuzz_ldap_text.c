/*
 * Names in a directory's filters and DNs, and attributes in fields: the configuration is the first line, the name the rest. Oracle:
 * what a value becomes has no octet that ends it, whatever the value; an attribute list of any text is taken or refused.
 */
#include "authd/ldap_map.h"
#include "authd/ldap_text.h"

#include "base/log.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct str all = str_pn(data, n);
	ptrdiff_t cut = str_chr(all, '\n');
	struct str user = cut < 0 ? all : str_from(all, (size_t)cut + 1);
	struct sql_field fields[] = { { .name = STR("dn"), .value = user }, { .name = STR("uid"), .value = user } };
	struct sql_row entry = { .field = fields, .n = 2 };
	struct arena *mem = arena_new(0);
	struct vars v = { .pass = user };
	struct str filter, name;
	struct template t;
	struct ldap_map m;
	const char *why;

	vars_set_user(&v, user);
	filter = ldap_filter_escape(mem, user);
	name = ldap_dn_escape(mem, user);
	for (size_t i = 0; i < filter.n; i++)
		require(filter.p[i] >= ' ' && filter.p[i] <= '~' && strchr("*()", filter.p[i]) == NULL);
	for (size_t i = 0; i < name.n; i++)
		require(name.p[i] >= ' ' && name.p[i] <= '~' && strchr("\"+,;<>=", name.p[i]) == NULL);
	all = cut < 0 ? STR("") : str_sub(all, 0, (size_t)cut);
	if (template_compile(all, mem, &t, &why) == 0) {
		ldap_filter_expand(&t, &v, mem);
		ldap_dn_expand(&t, &v, mem);
	}
	ldap_map_init(&m);
	if (ldap_map_parse(&m, all, "password", mem, &why) == 0) {
		ldap_map_row(&m, &entry, &v, mem, &why);
		ldap_map_users(&m, &entry, mem);
	}
	arena_free(&mem);
	return 0;
}
