/* The URLs of auth.conf, as they are read: what is wrong with one is said before anything starts. */
#include "authd/fetch.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <unistd.h>

enum { IDLE_S = 60, IDLE_MAX_S = 3600 };

#ifdef HAVE_CURL
static const bool has_curl = true;
#else
static const bool has_curl = false;
#endif

/* Returns its descriptor, or -1 and *why. */
static int open_authorities(const char *path, struct arena *mem, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	BIO *bio = fd >= 0 ? BIO_new_fd(fd, BIO_NOCLOSE) : NULL;
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	if (fd < 0)
		*why = arena_printf(mem, "tls_ca_cert_file = %s: %s", path, strerror(errno));
	else if (cert == NULL)
		*why = arena_printf(mem, "tls_ca_cert_file = %s holds no certificate in PEM", path);
	BIO_free(bio);
	if (cert) {
		X509_free(cert);
		return fd;
	}
	ERR_clear_error();
	if (fd >= 0)
		close(fd);
	return -1;
}

int fetch_site_add(struct fetch_sites *s, const struct fetch_site_settings *set, struct arena *mem, const char **why)
{
	struct fetch_site *site = &s->site[s->n];
	struct fetch_url u;

	if (!has_curl) {
		*why = "this Gatepost was built without libcurl: install libcurl4-openssl-dev and build it again";
		return -1;
	}
	if (s->n == FETCH_SITES_MAX) {
		*why = "more than 16 URLs";
		return -1;
	}
	if (fetch_url_parse(str_c(set->url), &u, why) < 0)
		return -1;
	if (set->takes_suffix && u.path.n == 0) {
		*why = "it has no path; there should be a \"/\" behind the host";
		return -1;
	}
	*site = (struct fetch_site){
		.url = set->url, .authorities = set->authorities, .fd = -1, .idle_s = IDLE_S, .loss = set->loss
	};
	if (set->idle_ms)
		site->idle_s = set->idle_ms / 1000 > IDLE_MAX_S ? IDLE_MAX_S : (uint32_t)(set->idle_ms / 1000);
	if (*set->authorities && u.is_tls && (site->fd = open_authorities(set->authorities, mem, why)) < 0)
		return -1;
	return (int)s->n++;
}

bool fetch_site_is_open(const char *url)
{
	struct fetch_url u;
	const char *why;

	return fetch_url_parse(str_c(url), &u, &why) == 0 && !u.is_tls && !fetch_url_is_local(&u);
}

void fetch_sites_close(struct fetch_sites *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->site[i].fd >= 0)
			close(s->site[i].fd);
	s->n = 0;
}
