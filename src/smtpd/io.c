/* Octets in and out of a session, plain or under TLS, and what the loop watches for. */
#include "smtpd/smtpd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static enum io plain_result(ssize_t n, size_t *done)
{
	if (n > 0) {
		*done = (size_t)n;
		return IO_DONE;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return IO_AGAIN;
	return IO_END;
}

static enum io tls_result_io(struct session *s, enum tls_result r)
{
	s->tls_wants_write = r == TLS_WANT_WRITE;
	if (r == TLS_DONE)
		return IO_DONE;
	return r == TLS_WANT_READ || r == TLS_WANT_WRITE ? IO_AGAIN : IO_END;
}

enum io session_read(struct session *s, void *p, size_t size, size_t *n)
{
	size_t more;

	*n = 0;
	if (s->tls == NULL)
		return plain_result(recv(s->fd, p, size, 0), n);
	while (*n < size) { /* a record at a time: fill the buffer, so that a burst is handled as one */
		enum tls_result r = tls_read(s->tls, (char *)p + *n, size - *n, &more);

		if (r != TLS_DONE)
			return *n ? IO_DONE : tls_result_io(s, r);
		*n += more;
	}
	return IO_DONE;
}

/* IO_DONE: all replies are out. */
enum io session_write(struct session *s)
{
	size_t n;

	while (s->out.n) {
		enum io r = s->tls ? tls_result_io(s, tls_write(s->tls, s->out.p, s->out.n, &n))
				   : plain_result(send(s->fd, s->out.p, s->out.n, MSG_NOSIGNAL), &n);

		if (r != IO_DONE)
			return r;
		buf_consume(&s->out, n);
	}
	buf_free(&s->out);
	return IO_DONE;
}

void session_starttls(struct session *s)
{
	s->tls = tls_accept(s->service->tls, s->fd);
	s->mode = MODE_HANDSHAKE;
	session_deadline(s, s->service->starttls_timeout_ms);
	if (s->service->tls_loglevel >= 2)
		log_info("setting up TLS connection from %s", client_text(s));
}

/* What the client has shown, if anything. */
static const char *take_cert(struct session *s)
{
	struct tls_client_cert cert;

	if (!tls_client_cert(s->tls, s->service->tls_digest, &cert))
		return "Anonymous";
	s->cert = xcalloc(1, sizeof *s->cert);
	*s->cert = cert;
	if (s->service->tls_loglevel >= 1)
		log_info("%s: subject_CN=%s, issuer=%s, fingerprint=%s, pkey_fingerprint=%s", client_text(s),
			cert.subject, cert.issuer, cert.fingerprint, cert.key_fingerprint);
	return cert.trusted ? "Trusted" : "Untrusted";
}

static void established(struct session *s)
{
	const char *trust = take_cert(s);
	struct tls_info info;

	tls_info(s->tls, &info);
	if (!info.resumed)
		client_count(s, EVENT_TLS);
	if (s->service->tls_loglevel < 1)
		return;
	log_info("%s TLS connection %s from %s: %s with cipher %s (%d/%d bits)%s%s%s%s%s%s", trust,
		info.resumed ? "reused" : "established", client_text(s), info.protocol, info.cipher, info.bits,
		info.cipher_bits, *info.key_exchange ? " key-exchange " : "", info.key_exchange,
		*info.server_signature ? " server-signature " : "", info.server_signature,
		*info.server_digest ? " server-digest " : "", info.server_digest);
}

enum io session_handshake(struct session *s)
{
	enum io r = tls_result_io(s, tls_handshake(s->tls));

	if (r == IO_DONE)
		established(s);
	if (r == IO_END)
		log_info("SSL_accept error from %s: %s", client_text(s), tls_error_text(s->tls));
	return r;
}
