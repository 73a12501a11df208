#include "map/map_text.h"
#include "map/mem_map.h"
#include "map/table.h"
#include "sasl/base64.h"
#include "tls/held_impl.h"

#include <openssl/err.h>
#include <stdlib.h>

/*
 * Certificates by the name that a client asks for (RFC 6066 sec. 3): tls_server_sni_maps. The tables are read whole
 * before any client comes, and a name is looked up in memory: whatever it is, it opens no file and is kept nowhere
 * (CVE-2017-15130, CVE-2019-15846).
 */
enum { PEM_MAX = 256 * 1024, NAME_MAX_OCTETS = 255 };

static struct sni_table *tables; /* that are in use */

/* A value is the content of a PEM file in base64 (postmap -F), or names of such files. */
static int read_value(struct tls_chains *c, struct str value, const char *where, struct buf *error)
{
	struct buf pem = BUF_INIT(PEM_MAX);
	struct str word;
	FILE *f;
	int r = 0;

	if (base64_decode(&pem, value) == 0 && memmem(pem.p, pem.n, "-----BEGIN", 10) != NULL) {
		f = fmemopen(pem.p, pem.n, "r");
		r = f ? tls_chains_parse(c, f, where, error) : -1;
		if (f)
			fclose(f);
	} else {
		while (r == 0 && str_word(&value, " \t\r\n,", &word)) {
			char *path = xstrndup(word);

			r = tls_chains_read(c, path, error);
			free(path);
		}
	}
	buf_wipe(&pem);
	return r == 0 ? tls_chains_check(c, where, error) : r;
}

struct filling {
	struct table_walk walk;
	struct sni_table *table;
	const char *spec;
	struct buf *error;
};

/* Takes: c. False: the name is there already. */
static bool add_chains(struct sni_table *t, struct str name, struct tls_chains *c)
{
	if (!mem_map_add(t->map, name, str_pn((char *)&c, sizeof c))) {
		tls_chains_free(c);
		free(c);
		return false;
	}
	t->chains = xrealloc(t->chains, (t->n + 1) * sizeof *t->chains);
	t->chains[t->n++] = c;
	return true;
}

static void take_stored(struct sni_table *t, struct str name, struct tls_chains *c)
{
	add_chains(t, name, c);
}

static bool take_entry(struct table_walk *w, struct str key, struct str value)
{
	struct filling *f = container_of(w, struct filling, walk);
	struct tls_chains *c = xcalloc(1, sizeof *c);
	struct buf where = BUF_INIT(TABLE_WHY_MAX);
	size_t before = f->error->n;

	buf_addf(&where, "%s, %.*s", f->spec, STR_ARG(key));
	if (read_value(c, value, where.p, f->error) != 0) {
		tls_chains_free(c);
		free(c);
	} else if (add_chains(f->table, key, c)) {
		tls_record_name(f->table->spec, key, c);
	}
	if (f->error->n > before)
		buf_addf(f->error, "; tls_server_sni_maps has no certificate for %.*s\n", STR_ARG(key));
	buf_free(&where);
	return true;
}

/* A file, or the index of one. */
static void note_table(const struct table *t)
{
	struct buf index = BUF_INIT(8192);

	if (!(t->type->flags & TABLE_FILE))
		return;
	buf_addf(&index, "%s.lmdb", t->name);
	tls_note_file(t->name);
	tls_note_file(index.p);
	buf_free(&index);
}

static void fill(struct sni_table *t, struct buf *error)
{
	struct table_set *set = table_set_new(TABLES_ALL, "");
	struct str rest = str_c(t->spec), word;

	while (map_word(&rest, &word)) {
		struct table *source = table_get(set, word);
		struct filling f = { { take_entry }, t, source->spec, error };
		struct buf why = BUF_INIT(TABLE_WHY_MAX);

		note_table(source);
		if (source->type->walk == NULL)
			buf_addf(error,
				"tls_server_sni_maps: %s cannot be listed, and no file is opened for the name that a "
				"client sends: use hash, lmdb, texthash or inline\n",
				source->spec);
		else if (table_walk_all(source, &f.walk, &why) == MAP_TEMPORARY)
			buf_addf(error, "tls_server_sni_maps: %s\n", why.p ? why.p : source->spec);
		buf_free(&why);
	}
	table_set_free(&set);
}

static struct sni_table *table_of(const char *spec, struct buf *error)
{
	struct sni_table *t;
	size_t before;

	for (t = tables; t; t = t->next)
		if (strcmp(t->spec, spec) == 0) {
			t->refs++;
			return t;
		}
	t = xcalloc(1, sizeof *t);
	t->refs = 1;
	t->spec = xstrdup(spec);
	t->map = mem_map_new();
	t->next = tables;
	tables = t;
	before = error->n;
	if (tls_store_is_used()) {
		tls_store_names(spec, t, take_stored, error);
	} else {
		fill(t, error);
		tls_record_names_end(spec, str_from(buf_str(error), before));
	}
	return t;
}

void tls_sni_free(struct sni_table **table)
{
	struct sni_table *t = *table, **at = &tables;

	*table = NULL;
	if (t == NULL || --t->refs > 0)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	for (size_t i = 0; i < t->n; i++) {
		tls_chains_free(t->chains[i]);
		free(t->chains[i]);
	}
	free(t->chains);
	mem_map_free(&t->map);
	free(t->spec);
	free(t);
}

/* The name, then .parent.example, .example: as Postfix looks. */
const struct tls_chains *tls_sni_find(const struct sni_table *t, const char *asked)
{
	char name[NAME_MAX_OCTETS + 1];
	struct str key = str_c(asked), value;
	const struct tls_chains *c = NULL;
	ptrdiff_t dot;

	if (key.n == 0 || key.n > NAME_MAX_OCTETS || key.p[0] == '.')
		return NULL;
	for (size_t i = 0; i < key.n; i++)
		name[i] = ascii_lower(key.p[i]);
	key = str_pn(name, key.n);
	if (key.p[key.n - 1] == '.')
		key.n--; /* the root's dot is not part of it in SNI, but some send it */
	while ((value = mem_map_find(t->map, key)).p == NULL) {
		dot = str_chr(str_from(key, 1), '.');
		if (dot < 0)
			return NULL;
		key = str_from(key, (size_t)dot + 1);
	}
	memcpy(&c, value.p, sizeof c);
	return c;
}

static int on_name(SSL *ssl, int *alert, void *unused)
{
	const struct tls_ctx *ctx = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_chains *c = name ? tls_sni_find(ctx->names, name) : NULL;

	(void)unused;
	(void)alert;
	if (c == NULL)
		return SSL_TLSEXT_ERR_NOACK; /* the default certificate */
	SSL_certs_clear(ssl);
	for (size_t i = 0; i < c->n; i++)
		if (SSL_use_cert_and_key(ssl, c->item[i].leaf, c->item[i].key, c->item[i].rest, 1) != 1)
			return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

void tls_sni_load(struct tls_ctx *ctx, const char *spec, struct buf *error)
{
	if (*spec == '\0')
		return;
	ctx->names = table_of(spec, error);
	SSL_CTX_set_tlsext_servername_callback(ctx->ssl, on_name);
}
