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
enum { NAME_MAX_OCTETS = 255 };
static const char left_out[] = "; tls_server_sni_maps has no certificate for ";

static struct sni_table *tables; /* that are in use */

bool tls_sni_pem(struct buf *pem, struct str value)
{
	return base64_decode(pem, value) == 0 && memmem(pem->p, pem->n, "-----BEGIN", 10) != NULL;
}

/* A value is the content of a PEM file in base64 (postmap -F), or names of such files. */
static int read_value(struct tls_chains *c, struct str value, const char *where, struct buf *error)
{
	struct buf pem = BUF_INIT(PEM_MAX);
	struct str word;
	FILE *f;
	int r = 0;

	if (tls_sni_pem(&pem, value)) {
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

/* What is known by a name: chains that were read, or where they stand in the store of another process. */
struct known {
	struct tls_chains *chains; /* NULL: to be read from `stored` */
	struct str stored;
};

static bool add_known(struct sni_table *t, struct str name, struct known k)
{
	if (!mem_map_add(t->map, name, str_pn(&k, sizeof k)))
		return false;
	t->n++;
	return true;
}

/* Takes: c. */
static void add_chains(struct sni_table *t, struct str name, struct tls_chains *c)
{
	if (add_known(t, name, (struct known){ c, { NULL, 0 } }))
		return;
	tls_chains_free(c);
	free(c);
}

static void take_stored(struct sni_table *t, struct str name, struct str chains)
{
	add_known(t, name, (struct known){ NULL, chains });
}

static bool take_again(struct sni_table *t, struct str name, const struct record_state *state)
{
	return tls_record_again(t->spec, name, state) && add_known(t, name, (struct known){ NULL, { NULL, 0 } });
}

/* Who records looks nothing up: a hundred thousand names with all their certificates would take more than a gigabyte. */
static void record_chains(struct sni_table *t, struct str name, const struct record_state *state, struct tls_chains *c)
{
	if (add_known(t, name, (struct known){ NULL, { NULL, 0 } }))
		tls_record_name(t->spec, name, state, c);
	tls_chains_free(c);
	free(c);
}

static void read_entry(struct filling *f, struct str key, struct str value, const struct record_state *state)
{
	struct tls_chains *c = xcalloc(1, sizeof *c);
	struct buf where = BUF_INIT(TABLE_WHY_MAX);

	buf_addf(&where, "%s, %.*s", f->spec, STR_ARG(key));
	if (read_value(c, value, where.p, f->error) != 0) {
		tls_chains_free(c);
		free(c);
	} else if (tls_record_is_on()) {
		record_chains(f->table, key, state, c);
	} else {
		add_chains(f->table, key, c);
	}
	buf_free(&where);
}

static bool take_entry(struct table_walk *w, struct str key, struct str value)
{
	struct filling *f = container_of(w, struct filling, walk);
	size_t before = f->error->n;
	struct record_state state = { .is_settled = false };

	if (tls_record_is_on() && mem_map_find(f->table->map, key).p != NULL)
		return true; /* the first one counts */
	if (tls_record_is_on())
		record_state(&state, value);
	if (!tls_record_is_on() || !take_again(f->table, key, &state))
		read_entry(f, key, value, &state);
	if (f->error->n > before)
		buf_addf(f->error, "%s%.*s\n", left_out, STR_ARG(key));
	return true;
}

bool tls_is_about_name(struct str line)
{
	return memmem(line.p, line.n, left_out, sizeof left_out - 1) != NULL;
}

/* A file, or the index of one. */
static void note_table(const struct table *t)
{
	struct buf index = BUF_INIT(8192);

	if (!table_is_file(t))
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
		t->stored = tls_store_hold();
		tls_store_names(spec, t, take_stored, error);
	} else if (!tls_record_has_names(spec)) {
		fill(t, error);
		tls_record_names_end(spec, str_from(buf_str(error), before));
	}
	return t;
}

static void free_known(struct sni_table *t)
{
	struct str name, value;
	struct known k;

	for (size_t i = 0; mem_map_at(t->map, i, &name, &value); i++) {
		memcpy(&k, value.p, sizeof k);
		if (k.chains)
			tls_chains_free(k.chains);
		free(k.chains);
	}
	for (size_t i = 0; i < SNI_RECENT; i++)
		tls_chains_free(&t->recent[i].chains);
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
	free_known(t);
	tls_store_release(&t->stored);
	mem_map_free(&t->map);
	free(t->spec);
	free(t);
}

/* Names that are asked for now are asked for again soon, and reading a certificate costs as much as half a handshake. */
static const struct tls_chains *chains_of(struct sni_table *t, const struct known *k)
{
	struct sni_recent *r = &t->recent[str_hash(str_pn(&k->stored.p, sizeof k->stored.p)) % SNI_RECENT];

	if (k->chains)
		return k->chains;
	if (k->stored.p == NULL)
		return NULL;
	if (r->stored != k->stored.p) {
		tls_chains_free(&r->chains); /* connections have their own hold on it */
		tls_store_chains(k->stored, &r->chains);
		r->stored = k->stored.p;
	}
	return &r->chains;
}

/* The name, then .parent.example, .example: as Postfix looks. */
const struct tls_chains *tls_sni_find(struct sni_table *t, const char *asked)
{
	char name[NAME_MAX_OCTETS + 1];
	struct str key = str_c(asked), value;
	struct known known;
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
	memcpy(&known, value.p, sizeof known);
	return chains_of(t, &known);
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
