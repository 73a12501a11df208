/*
 * Keys in files, read at the start, before the jail: a JWK set; or, as Dovecot has them, "fs:posix:prefix=/etc/dovecot/keys/" and below it
 * CLIENT/ALGORITHM/KEY-ID, each a public key in PEM. CLIENT is the token's azp, or "default".
 */
#include "authd/oauth2.h"

#include "authd/settings_impl.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { PEM_MAX = 65536, JWKS_MAX = 1024 * 1024 };

/* Returns 0; -1: errno; 1: it is longer than the buffer may be. */
static int read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
	ssize_t n = 1;
	char *p;

	if (fd < 0)
		return -1;
	while ((p = buf_reserve(out, 4096)) != NULL && (n = read(fd, p, 4096)) > 0)
		buf_commit(out, (size_t)n);
	saved = errno;
	close(fd);
	errno = saved;
	return p == NULL ? 1 : n < 0 ? -1 : 0;
}

struct jwt_keys *oauth2_jwks_load(struct loader *l, const char *path)
{
	struct buf json = BUF_INIT(JWKS_MAX);
	int r = read_file(path, &json);
	const char *why = r < 0 ? strerror(errno) : "it is over 1 MB";
	struct jwt_keys *keys = r == 0 ? jwt_keys_parse(buf_str(&json), &why) : NULL;

	if (keys == NULL)
		buf_addf(l->errors, "%s: jwks = %s: %s\n", l->set->oauth2.file, path, why);
	buf_free(&json);
	return keys;
}

struct place {
	struct loader *loader;
	struct jwt_keys *keys;
	const char *path;    /* of the folder that is looked at */
	struct str azp, alg; /* as far as is known */
};

/* In a file's name "/" and "%" are "%2f" and "%25". */
static struct str unescape(struct loader *l, const char *name)
{
	struct buf b = BUF_INIT(4096);
	struct str s;

	for (const char *p = name; *p; p++)
		if (strncasecmp(p, "%2f", 3) == 0 || strncmp(p, "%25", 3) == 0) {
			buf_add_char(&b, p[2] == '5' ? '%' : '/');
			p += 2;
		} else {
			buf_add_char(&b, *p);
		}
	s = arena_dup(l->set->mem, buf_str(&b));
	buf_free(&b);
	return s;
}

static void read_key(const struct place *at, struct str name)
{
	struct buf pem = BUF_INIT(PEM_MAX);
	int r = read_file(at->path, &pem);

	if (r < 0)
		buf_addf(at->loader->errors, "%s: %s\n", at->path, strerror(errno));
	else if (r > 0 || jwt_keys_add_pem(at->keys, buf_str(&pem), at->azp, at->alg, name) < 0)
		buf_addf(at->loader->warnings,
			"%s: it is no public key in PEM for %.*s, which should be " JWT_ALGS
			", with RSA of 2048 bits or more; no token is good by it\n",
			at->path, STR_ARG(at->alg));
	buf_free(&pem);
}

/* Folders of clients, of algorithms, then the keys. */
static void walk(const struct place *at, unsigned depth)
{
	DIR *dir = opendir(at->path);
	const struct dirent *e;

	if (dir == NULL) {
		buf_addf(at->loader->errors, "%s: %s\n", at->path, strerror(errno));
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		struct place next = *at;
		struct str name = unescape(at->loader, e->d_name);

		if (e->d_name[0] == '.')
			continue;
		next.path = arena_printf(at->loader->set->mem, "%s/%s", at->path, e->d_name);
		if (depth == 2) {
			read_key(&next, name);
			continue;
		}
		*(depth == 0 ? &next.azp : &next.alg) = name;
		walk(&next, depth + 1);
	}
	closedir(dir);
}

struct jwt_keys *oauth2_dict_load(struct loader *l, const char *dict)
{
	static const char kind[] = "fs:posix:prefix=";
	struct str path = str_c(dict);
	struct place at = { .loader = l, .keys = jwt_keys_new() };

	if (str_has_prefix(path, str_c(kind)))
		path = str_from(path, sizeof kind - 1);
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	at.path = arena_cdup(l->set->mem, path);
	if (*at.path != '/')
		buf_addf(l->errors, "%s: local_validation_key_dict = %s; it should be fs:posix:prefix=/FOLDER/\n",
			l->set->oauth2.file, dict);
	else
		walk(&at, 0);
	if (*at.path == '/' && jwt_keys_count(at.keys) == 0)
		buf_addf(l->errors, "%s: local_validation_key_dict: there is no key in %s/CLIENT/ALGORITHM/\n",
			l->set->oauth2.file, at.path);
	return at.keys;
}
