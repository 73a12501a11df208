#ifdef HAVE_LDAP
#include "authd/settings.h"
#include "base/test.h"

#include <stdlib.h>
#include <unistd.h>

static const char *keep_file(const char *text, char *path)
{
	int fd;

	strncpy(path, "/tmp/auth-ldap.XXXXXX", 32);
	fd = mkstemp(path);
	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	return path;
}

static struct settings *load(const char *text, struct buf *errors)
{
	struct buf warnings = BUF_INIT(65536);
	char path[32];
	struct settings *set = settings_load(keep_file(text, path), errors, &warnings);

	unlink(path);
	buf_free(&warnings);
	return set;
}

#define LISTENER "service auth {\n unix_listener private/auth {\n mode = 0600\n }\n}\n"

static void test_file_of_2_3(void **state)
{
	struct buf errors = BUF_INIT(65536);
	char path[32], text[512];
	struct settings *set;
	const struct ldap_settings *l;

	(void)state;
	keep_file(
		"uris = ldaps://a ldap://b:3890\ndn = cn=r, dc=x\ndnpass = a'b =c#d\nbase = dc=%Dd\nscope = onelevel\n"
		"auth_bind = yes\npass_attrs = uid=user,userPassword=password,mail=x\niterate_filter = (a=b)\n"
		"deref = always\ntls_ca_cert_file = /ca\n",
		path);
	snprintf(text, sizeof text,
		"passdb {\n driver = ldap\n args = %s\n}\nuserdb {\n driver = ldap\n args = %s\n}\n" LISTENER, path,
		path);
	set = load(text, &errors);
	unlink(path);
	if (set == NULL)
		fail_msg("%s", errors.p);
	l = set->passdb[0].ldap;
	check(l->binds && !l->has_userdn);
	check_str(str_c(l->search), "search? onelevel uid mail"); /* the hash is not asked for */
	check_str(str_c(set->passdb[0].sql.connect),
		"\nhost=ldaps://a\nhost=ldap://b:3890\ndn=cn=r, dc=x\ndnpass=a'b =c#d\nversion=3\nderef=3\n"
		"tls_ca_cert_file=/ca");
	check_str(str_c(set->passdb[0].sql.scheme), "CRYPT");
	check(strcmp(set->passdb[0].sql.connect, set->userdb[0].sql.connect) == 0);
	l = set->userdb[0].ldap;
	check(!l->binds);
	check_str(str_c(l->search), "search? onelevel homeDirectory uidNumber gidNumber");
	check_str(str_c(l->list), "search? onelevel uid");
	settings_free(&set);
	buf_free(&errors);
}

static void test_words_of_2_4(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct settings *set = load(
		"ldap_uris = ldap://a\nldap_base = dc=x\nldap_starttls = yes\nssl_client_ca_file = /ca\n"
		"ssl_client_require_valid_cert = no\n"
		"passdb ldap {\n passdb_ldap_filter = (uid=%{user})\n passdb_ldap_bind = yes\n"
		" passdb_default_password_scheme = PLAIN\n fields {\n user = %{ldap:mail}\n }\n}\n"
		"userdb ldap {\n ldap_base = dc=y\n filter = (uid=%{user})\n fields {\n home = /m/%{ldap:uid}\n }\n"
		" iterate_filter = (a=b)\n iterate_fields {\n user = %{ldap:cn}\n }\n}\n"
		"passdb pam {\n service_name = x\n session = yes\n failure_show_msg = yes\n}\n" LISTENER,
		&errors);

	(void)state;
	if (set == NULL)
		fail_msg("%s", errors.p);
	check(set->passdb[0].ldap->binds);
	check_str(str_c(set->passdb[0].ldap->search), "search subtree mail");
	check_str(str_c(set->passdb[0].sql.connect),
		"\nhost=ldap://a\nversion=3\nderef=0\ntls_ca_cert_file=/ca\ntls_require_cert=allow\nstarttls=yes");
	check_str(str_c(set->passdb[0].sql.scheme), "PLAIN");
	check_str(str_c(set->userdb[0].ldap->search), "search subtree uid");
	check_str(str_c(set->userdb[0].ldap->list), "search subtree cn");
#ifdef HAVE_PAM
	check(set->passdb[1].pam->session && !set->passdb[1].pam->setcred && set->passdb[1].pam->shows_message);
	check(set->passdb[1].pam->cache_key.first != NULL);
#endif
	settings_free(&set);
	buf_free(&errors);
}

static void test_faults(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "passdb ldap {\n filter = (a=b)\n}\n", "no ldap_base" },
		{ "ldap_base = dc=x\npassdb ldap {\n filter = (a=b)\n}\n", "no directory server" },
		{ "ldap_base = dc=x\nldap_uris = ldap://a\npassdb ldap {\n fields {\n a = b\n }\n}\n",
			"no ldap_filter" },
		{ "ldap_base = dc=x\nldap_uris = http://a\npassdb ldap {\n filter = x\n}\n", "is no address" },
		{ "ldap_base = dc=x\nldap_uris = ldaps://a\nldap_starttls = yes\npassdb ldap {\n filter = x\n}\n",
			"from its first octet" },
		{ "ldap_base = dc=%{x}\nldap_uris = ldap://a\npassdb ldap {\n filter = x\n}\n", "not known" },
		{ "ldap_base = x\nldap_uris = ldap://a\npassdb ldap {\n filter = x\n fields {\n a = %{ldap\n }\n}\n",
			"missing" },
		{ "ldap_base = x\nldap_uris = ldap://a\nldap_auth_sasl_mechanisms = gssapi\npassdb ldap {\n filter = "
		  "x\n}\n",
			"is not available for binds" },
		{ "passdb {\n driver = ldap\n args = /nonexistent\n}\n", "cannot be read" },
		{ "ldap_base = x\nldap_uris = ldap://a\npassdb ldap {\n bind = yes\n bind_userdn = uid=%{user}\n deny "
		  "= yes\n}\n",
			"nobody is looked up" },
#ifdef HAVE_PAM
		{ "passdb {\n driver = pam\n deny = yes\n}\n", "deny = yes" },
		{ "passdb {\n driver = pam\n args = a b\n}\n", "\"a\" is not known" },
		{ "passdb {\n driver = pam\n args = %{x}\n}\n", "not known" },
		{ "userdb {\n driver = pam\n}\n", "\"pam\" is not available" },
#endif
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf errors = BUF_INIT(65536);
		struct settings *set = load(cases[i].text, &errors);

		if (set || strstr(errors.p, cases[i].says) == NULL)
			fail_msg("case %zu: %s", i, errors.p);
		check(true);
		buf_free(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_file_of_2_3), cmocka_unit_test(test_words_of_2_4),
		cmocka_unit_test(test_faults) };

	return test_run(tests);
}
#else
#include <stdio.h>

int main(void)
{
	return puts("skipped: built without LDAP\nchecks: 1") < 0;
}
#endif
