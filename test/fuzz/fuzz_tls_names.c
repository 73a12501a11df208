/*
 * Names that come in TLS handshakes: of a client in SNI (whatever its octets, it finds an entry of the table or none), and
 * in its certificate (no text that we take from it has a control character, or is longer than its place). The first octet
 * says which.
 */
#include "base/log.h"
#include "map/mem_map.h"
#include "tls/impl.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct sni_table *table(void)
{
	static struct tls_chains chains;
	static struct sni_table t;
	const struct tls_chains *c = &chains;

	if (t.map)
		return &t;
	t.map = mem_map_new();
	mem_map_add(t.map, STR("one.example"), str_pn((const char *)&c, sizeof c));
	mem_map_add(t.map, STR(".wild.example"), str_pn((const char *)&c, sizeof c));
	mem_map_add(t.map, STR(".org"), str_pn((const char *)&c, sizeof c));
	return &t;
}

static void try_sni(const uint8_t *p, size_t n)
{
	char *name = xstrndup(str_pn((const char *)p, n));
	struct str s = str_c(name);
	bool known;

	if (s.n && s.p[s.n - 1] == '.')
		s.n--;
	known = str_ieq(s, STR("one.example")) || (s.n > 13 && str_ieq(str_from(s, s.n - 13), STR(".wild.example"))) ||
		(s.n > 4 && str_ieq(str_from(s, s.n - 4), STR(".org")));
	if (tls_sni_find(table(), name))
		require(known && strlen(name) <= 255 && name[0] != '.');
	else
		require(!known || strlen(name) > 255 || name[0] == '.');
	free(name);
}

static void try_text(const char *text, size_t room)
{
	size_t n = strlen(text);

	require(n < room);
	for (size_t i = 0; i < n; i++)
		require((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void try_cert(const uint8_t *p, size_t n)
{
	const unsigned char *at = p;
	X509 *cert = d2i_X509(NULL, &at, (long)n);
	struct tls_client_cert c;
	struct str print;

	ERR_clear_error();
	if (cert == NULL)
		return;
	tls_describe_cert(cert, "sha256", &c);
	require(!c.trusted);
	try_text(c.subject, sizeof c.subject);
	try_text(c.issuer, sizeof c.issuer);
	try_text(c.login, sizeof c.login);
	try_text(c.fingerprint, sizeof c.fingerprint);
	try_text(c.key_fingerprint, sizeof c.key_fingerprint);
	print = str_c(c.fingerprint);
	require(print.n == 0 || *c.key_fingerprint == '\0' || tls_has_fingerprint(cert, "sha256", &print, 1));
	X509_free(cert);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	if (*p == 'n')
		try_sni(p + 1, n - 1);
	else
		try_cert(p + 1, n - 1);
	return 0;
}
