/*
 * record_again.c - reading a hundred thousand keys takes a minute of computing, and master does nothing else meanwhile. Where the
 * files of a name are what they were, its chains are copied from the record of before, with their keys.
 */
#include "tls/record_again.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

enum { SETTLED_S = 2 };

static struct {
	const struct tls_record *before;
	struct str certs, keys; /* mapped */
	struct mem_map *ders;	/* id → DER in `keys` */
} again;

static void mix(EVP_MD_CTX *digest, struct record_state *s, const char *path)
{
	struct stat st;
	uint64_t what[7] = { 0 };

	tls_note_file(path);
	if (stat(path, &st) == 0) {
		what[0] = st.st_dev;
		what[1] = st.st_ino;
		what[2] = (uint64_t)st.st_size;
		what[3] = (uint64_t)st.st_mtim.tv_sec;
		what[4] = (uint64_t)st.st_mtim.tv_nsec;
		what[5] = (uint64_t)st.st_ctim.tv_sec;
		what[6] = (uint64_t)st.st_ctim.tv_nsec;
		s->is_settled = s->is_settled && st.st_ctim.tv_sec + SETTLED_S < time(NULL);
	} else {
		s->is_settled = false;
	}
	EVP_DigestUpdate(digest, what, sizeof what);
}

void record_state(struct record_state *s, struct str value)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	struct buf pem = BUF_INIT(PEM_MAX);
	bool is_pem = tls_sni_pem(&pem, value);
	struct str word;

	buf_wipe(&pem);
	s->is_settled = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;
	if (s->is_settled) {
		EVP_DigestUpdate(digest, value.p, value.n);
		while (!is_pem && str_word(&value, " \t\r\n,", &word)) {
			char *path = xstrndup(word);

			mix(digest, s, path);
			free(path);
		}
		s->is_settled &= EVP_DigestFinal_ex(digest, s->octets, NULL) == 1;
	}
	EVP_MD_CTX_free(digest);
}

static struct str map(int fd)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) != 0 || st.st_size == 0)
		return (struct str){ NULL, 0 };
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? (struct str){ NULL, 0 } : str_pn(p, (size_t)st.st_size);
}

static void unmap(struct str *s)
{
	if (s->p)
		munmap((void *)(uintptr_t)s->p, s->n);
	*s = (struct str){ NULL, 0 };
}

void record_again_begin(const struct tls_record *before)
{
	struct str rest, der;
	struct key_id id;

	again.before = before;
	if (before == NULL)
		return;
	again.certs = map(before->certs_fd);
	again.keys = map(before->keys_fd);
	again.ders = mem_map_new();
	rest = again.keys;
	while (rest.p && key_store_next(&rest, &id, &der) == 1)
		mem_map_add(again.ders, str_pn(&id, sizeof id), str_pn(&der, sizeof der));
}

void record_again_end(void)
{
	unmap(&again.certs);
	unmap(&again.keys);
	mem_map_free(&again.ders);
	again.before = NULL;
}

/* False: one is not there. */
static bool put_keys(struct str chains, struct mem_map *ids, void (*put)(const struct key_id *id, struct str der))
{
	struct ipc_in in = { chains, false };
	uint32_t n = ipc_get_u32(&in);

	while (n-- > 0 && !in.bad) {
		struct str id = str_sub(in.rest, 0, sizeof(struct key_id)), found = mem_map_find(again.ders, id), der;
		struct key_id key;
		uint32_t certs;

		if (id.n != sizeof key || found.p == NULL)
			return false;
		memcpy(&key, id.p, sizeof key);
		memcpy(&der, found.p, sizeof der);
		if (mem_map_add(ids, id, STR("")))
			put(&key, der);
		in.rest = str_from(in.rest, sizeof key);
		for (certs = ipc_get_u32(&in); certs-- > 0 && !in.bad;)
			ipc_get_str(&in);
	}
	return !in.bad;
}

struct str record_again_find(
	const struct record_state *s, struct mem_map *ids, void (*put)(const struct key_id *id, struct str der))
{
	struct str none = { NULL, 0 }, found, chains;
	struct record_place place;

	if (again.before == NULL || !s->is_settled)
		return none;
	found = mem_map_find(again.before->entries, str_pn(s->octets, sizeof s->octets));
	if (found.p == NULL)
		return none;
	memcpy(&place, found.p, sizeof place);
	if (again.certs.p == NULL || place.at > again.certs.n || place.n > again.certs.n - place.at)
		return none;
	chains = str_sub(again.certs, place.at, place.n);
	return put_keys(chains, ids, put) ? chains : none;
}
