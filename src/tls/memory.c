/*
 * memory.c - where OpenSSL takes its memory. A handshake needs some large blocks for a moment beside the small ones that a session
 * keeps; from one heap they leave holes that cost more than the sessions.
 */
#include "tls/tls.h"
#include "base/slots.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* Blocks between the last two are SSL objects (7.5 KiB in OpenSSL 3.0), which live as long as their sessions. */
enum { LARGE_OCTETS = 3 * 1024, OBJECT_OCTETS = 7 * 1024, BUFFER_OCTETS = 8 * 1024 };

static bool is_for_slot(size_t n)
{
	return n >= LARGE_OCTETS && n <= SLOT_OCTETS && (n <= OBJECT_OCTETS || n > BUFFER_OCTETS);
}

static void *take(size_t n, const char *file, int line)
{
	void *p = NULL;

	(void)file;
	(void)line;
	if (is_for_slot(n))
		p = slot_alloc();
	return p ? p : n ? malloc(n) : NULL;
}

static void give(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p && slot_owns(p))
		slot_free(p);
	else
		free(p);
}

static void *change(void *p, size_t n, const char *file, int line)
{
	void *fresh;

	if (p == NULL)
		return take(n, file, line);
	if (n == 0) {
		give(p, file, line);
		return NULL;
	}
	if (!slot_owns(p))
		return realloc(p, n);
	if (is_for_slot(n))
		return p;
	fresh = take(n, file, line);
	if (fresh) {
		memcpy(fresh, p, n < SLOT_OCTETS ? n : SLOT_OCTETS);
		give(p, file, line);
	}
	return fresh;
}

void tls_memory_init(void)
{
	/* It refuses when something was allocated already: then all stays as it is. */
	CRYPTO_set_mem_functions(take, change, give);
}
