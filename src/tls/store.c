/* Certificates as another process has read them, with keys that it did not pass on: what record.c has written. */
#include "base/log.h"
#include "tls/held_impl.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct store_text { /* what master wrote; all smtpds map the same */
	unsigned refs;
	const char *p;
	size_t n;
};

static struct store_text *store; /* NULL: files are read */

bool tls_store_is_used(void)
{
	return store != NULL;
}

struct store_text *tls_store_hold(void)
{
	store->refs++;
	return store;
}

void tls_store_release(struct store_text **text)
{
	struct store_text *t = *text;

	*text = NULL;
	if (t == NULL || --t->refs > 0)
		return;
	if (t->n)
		munmap((void *)(uintptr_t)t->p, t->n);
	free(t);
}

void tls_store_end(void)
{
	tls_store_release(&store);
}

void tls_store_use(int fd)
{
	struct stat st;
	void *p = NULL;

	tls_store_end();
	if (fstat(fd, &st) != 0)
		fatal("cannot read the certificates that master passed: %s", strerror(errno));
	if (st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		fatal("cannot read the certificates that master passed: %s", strerror(errno));
	close(fd);
	store = xcalloc(1, sizeof *store);
	*store = (struct store_text){ 1, p, (size_t)st.st_size };
}

struct entry {
	uint8_t type;
	struct str spec, text; /* text: a name, or what was wrong */
	uint32_t n_chains;
};

/* What master wrote is whole. */
static struct entry next_entry(struct ipc_in *in)
{
	struct entry e = { .type = ipc_get_u8(in) };

	e.spec = ipc_get_str(in);
	e.text = ipc_get_str(in);
	e.n_chains = ipc_get_u32(in);
	require(!in->bad);
	return e;
}

static void skip_chains(struct ipc_in *in, uint32_t n)
{
	while (n-- > 0) {
		uint32_t certs;

		in->rest = str_from(in->rest, sizeof(struct key_id));
		certs = ipc_get_u32(in);
		while (certs-- > 0 && !in->bad)
			ipc_get_str(in);
		require(!in->bad);
	}
}

static X509 *read_cert(struct ipc_in *in)
{
	struct str der = ipc_get_str(in);
	const unsigned char *p = (const unsigned char *)der.p;
	X509 *cert = d2i_X509(NULL, &p, (long)der.n);

	if (cert == NULL)
		panic("tls: a certificate of the store cannot be read: %s", tls_openssl_why());
	return cert;
}

static void read_chains(struct ipc_in *in, uint32_t n, struct tls_chains *c)
{
	c->item = xcalloc(n ? n : 1, sizeof *c->item);
	for (c->n = 0; c->n < n; c->n++) {
		struct tls_chain *chain = &c->item[c->n];
		struct key_id id;
		uint32_t certs;

		require(in->rest.n >= sizeof id);
		memcpy(id.octets, in->rest.p, sizeof id);
		in->rest = str_from(in->rest, sizeof id);
		certs = ipc_get_u32(in);
		require(certs > 0);
		chain->leaf = read_cert(in);
		chain->key = tls_held_key_new(X509_get0_pubkey(chain->leaf), &id);
		if (chain->key == NULL)
			panic("tls: a key of the store cannot be made: %s", tls_openssl_why());
		chain->rest = sk_X509_new_null();
		while (--certs > 0)
			sk_X509_push(chain->rest, read_cert(in));
	}
	ERR_clear_error();
}

static int use_chains(SSL_CTX *ssl, const struct tls_chains *c, struct buf *error)
{
	for (size_t i = 0; i < c->n; i++)
		if (SSL_CTX_use_cert_and_key(ssl, c->item[i].leaf, c->item[i].key, c->item[i].rest, 1) != 1) {
			buf_addf(error, "a certificate cannot be used: %s", tls_openssl_why());
			return -1;
		}
	return (int)c->n;
}

int tls_store_certs(SSL_CTX *ssl, const char *spec, struct buf *error)
{
	struct ipc_in in = { { store->p, store->n }, false };

	while (in.rest.n > 0) {
		struct entry e = next_entry(&in);
		struct tls_chains c = { NULL, 0 };
		int r;

		if (e.type != STORE_CERTS || !str_eq(e.spec, str_c(spec))) {
			skip_chains(&in, e.n_chains);
			continue;
		}
		if (e.text.n > 0) {
			buf_add_str(error, e.text);
			return -1;
		}
		read_chains(&in, e.n_chains, &c);
		r = use_chains(ssl, &c, error);
		tls_chains_free(&c);
		return r;
	}
	return 0;
}

void tls_store_chains(struct str chains, struct tls_chains *c)
{
	struct ipc_in in = { chains, false };
	uint32_t n = ipc_get_u32(&in);

	read_chains(&in, n, c);
}

void tls_store_names(const char *spec, struct sni_table *t,
	void (*take)(struct sni_table *t, struct str name, struct str chains), struct buf *error)
{
	struct ipc_in in = { { store->p, store->n }, false };

	while (in.rest.n > 0) {
		struct entry e = next_entry(&in);
		const char *chains = in.rest.p - sizeof(uint32_t); /* their number first */

		skip_chains(&in, e.n_chains);
		if (e.type == STORE_CERTS || !str_eq(e.spec, str_c(spec)))
			continue;
		if (e.type == STORE_NAMES_END)
			buf_add_str(error, e.text);
		else
			take(t, e.text, str_pn(chains, (size_t)(in.rest.p - chains)));
	}
}
