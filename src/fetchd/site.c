#include "fetchd/fetchd.h"

#include "base/log.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- whom to trust: read now, because in the jail there is no file ---- */

static bool has_some(X509_STORE *store)
{
	return sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) > 0;
}

/* OpenSSL's default file; where there is none, Debian's, which lies in the default directory. */
static void load_system(X509_STORE *store)
{
	char path[4096];

	X509_STORE_load_file(store, X509_get_default_cert_file());
	snprintf(path, sizeof path, "%s/ca-certificates.crt", X509_get_default_cert_dir());
	if (!has_some(store))
		X509_STORE_load_file(store, path);
	if (!has_some(store))
		log_error("no certificate authority is trusted: there is no %s; install the package ca-certificates, "
			  "or name a "
			  "file with tls_ca_cert_file",
			path);
	ERR_clear_error();
}

static void load_file(X509_STORE *store, int fd, const char *shown)
{
	BIO *bio = BIO_new_fd(fd, BIO_NOCLOSE);
	X509 *cert;

	lseek(fd, 0, SEEK_SET); /* it may have been read by one before us */
	while (bio && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		X509_STORE_add_cert(store, cert);
		X509_free(cert);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (!has_some(store))
		log_error("%s: its tls_ca_cert_file holds no certificate in PEM: it will not be believed", shown);
}

/* One store for all sites that trust the system's authorities: there are more than a hundred. */
static X509_STORE *system_store(void)
{
	static X509_STORE *store;

	if (store == NULL) {
		store = X509_STORE_new();
		require(store != NULL);
		load_system(store);
	}
	return store;
}

static char *shown_of(const struct fetch_url *u)
{
	struct buf b = BUF_INIT(2 * FETCH_URL_MAX);
	char *shown;

	fetch_url_show(&b, u);
	shown = xstrndup(buf_str(&b));
	buf_free(&b);
	return shown;
}

/* libcurl knows a place by its name and port, and would take a connection that was verified for another site. */
static void part(void)
{
	for (size_t i = 0; i < fetchd.n_sites; i++)
		for (size_t k = 0; k < fetchd.n_sites; k++) {
			const struct site *other = &fetchd.site[k];
			struct site *s = &fetchd.site[i];

			s->is_apart |= s->trusted && other->trusted && s->trusted != other->trusted &&
				       s->parsed.port == other->parsed.port &&
				       str_ieq(s->parsed.host, other->parsed.host);
		}
}

void sites_load(const struct fetch_setup *setup, const int *fds)
{
	const char *why;

	for (size_t i = 0; i < setup->n; i++) {
		struct site *s = &fetchd.site[fetchd.n_sites++];

		s->url = xstrndup(setup->site[i].url);
		require(fetch_url_parse(str_c(s->url), &s->parsed, &why) == 0);
		s->shown = shown_of(&s->parsed);
		s->idle_s = setup->site[i].idle_s;
		s->loss = setup->site[i].loss;
		if (!s->parsed.is_tls)
			continue;
		s->trusted = setup->site[i].has_authorities ? X509_STORE_new() : system_store();
		require(s->trusted != NULL);
		if (setup->site[i].has_authorities)
			load_file(s->trusted, *fds++, s->shown);
	}
	part();
}

/* ---- away and back ---- */

void site_answered(struct site *s)
{
	fetchd.n_answered++;
	if (s->is_away)
		log_info("%s answers again", s->shown);
	s->is_away = false;
}

void site_failed(struct site *s, const char *why)
{
	static const char *const losses[FETCH_LOSSES] = {
		[FETCH_LOSS_LOGINS] = "logins that need it get a temporary failure",
		[FETCH_LOSS_KEYS] =
			"logins with tokens that are signed by a key which is new there get a temporary failure",
		[FETCH_LOSS_NONE] = "logins go on without it",
		[FETCH_LOSS_REFUSED] = "logins are refused",
	};

	fetchd.n_failed++;
	if (!s->is_away)
		log_warn("%s: %s; %s until it answers", s->shown, why, losses[s->loss]);
	s->is_away = true;
}
