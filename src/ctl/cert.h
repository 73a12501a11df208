/* cert.h - a self-signed certificate, so that a new instance has TLS before a real certificate is there. */
#ifndef CTL_CERT_H
#define CTL_CERT_H

#include "base/buf.h"

/*
 * Write a P-256 key (mode 0600) and a certificate for `host` (subject and subjectAltName, ten years) as PEM files.
 * 0, or -1 with one sentence in *error.
 */
int cert_self_signed(const char *host, const char *cert_path, const char *key_path, struct buf *error);

#endif
