#include "tls/impl.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whom a context trusts: the authorities of *_tls_CAfile and *_tls_CApath, and those of the system. */

/* Certificates of a directory are loaded now: later, in the jail, it could not be read. */
static int load_directory(SSL_CTX *ssl, const struct tls_trust *trust, struct buf *error)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	DIR *dir = opendir(trust->directory);
	struct dirent *e;
	char file[4096];

	tls_note_file(trust->directory);
	if (dir == NULL) {
		buf_addf(error, "%s_CApath: cannot read the directory %s: %s", trust->prefix, trust->directory,
			strerror(errno));
		return -1;
	}
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", trust->directory, e->d_name);
		X509_STORE_load_file(store, file); /* a file that is none is skipped, as c_rehash does */
	}
	closedir(dir);
	tls_openssl_why(); /* empties the queue of what those files left */
	return 0;
}

static bool is_empty(SSL_CTX *ssl)
{
	return sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(ssl))) == 0;
}

/* OpenSSL reads its default file now, but its default directory when it looks for somebody: in the jail, in vain. */
static int load_system(SSL_CTX *ssl, struct tls_trust trust, struct buf *error)
{
	const char *directory = secure_getenv(X509_get_default_cert_dir_env());
	struct buf unused = BUF_INIT(4096);

	if (SSL_CTX_set_default_verify_paths(ssl) != 1) {
		buf_addf(error, "tls_append_default_CA: the system's certificates cannot be loaded: %s",
			tls_openssl_why());
		return -1;
	}
	trust.directory = directory ? directory : X509_get_default_cert_dir();
	if (is_empty(ssl))
		load_directory(ssl, &trust, &unused); /* a system without one trusts nobody */
	buf_free(&unused);
	return 0;
}

int tls_load_trust(SSL_CTX *ssl, const struct tls_trust *trust, struct buf *error)
{
	if (*trust->file)
		tls_note_file(trust->file);
	if (*trust->file && X509_STORE_load_file(SSL_CTX_get_cert_store(ssl), trust->file) != 1) {
		buf_addf(error, "%s_CAfile: cannot load certificates from %s: %s", trust->prefix, trust->file,
			tls_openssl_why());
		return -1;
	}
	if (*trust->directory && load_directory(ssl, trust, error) != 0)
		return -1;
	return trust->system ? load_system(ssl, *trust, error) : 0;
}
