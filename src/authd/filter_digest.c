/* Filters of digests, 2.3's hashes among them. */
#include "authd/filter_impl.h"

#include <openssl/evp.h>
#include <stdio.h>

enum { ROUNDS_MAX = 100000, FILL_MAX = 1024 };

/* digest(salt, digest(salt, … value)) */
static size_t digest(
	const char *name, struct str salt, struct str value, int64_t rounds, unsigned char out[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
	unsigned n = 0;

	for (int64_t i = 0; ctx && md && i < rounds; i++) {
		EVP_DigestInit_ex(ctx, md, NULL);
		EVP_DigestUpdate(ctx, salt.p, salt.n);
		EVP_DigestUpdate(ctx, i ? (const void *)out : value.p, i ? n : value.n);
		EVP_DigestFinal_ex(ctx, out, &n);
	}
	EVP_MD_free(md);
	EVP_MD_CTX_free(ctx);
	return n;
}

/* Only the first `bits`, moved to the right end. */
static size_t shift_right(unsigned char *p, size_t n, size_t bits)
{
	size_t octets = (bits + 7) / 8, by = (8 - bits % 8) % 8;

	if (bits == 0 || bits >= n * 8)
		return n;
	for (size_t i = octets; i > 0; i--)
		p[i - 1] = (unsigned char)(p[i - 1] >> by | (i > 1 ? p[i - 2] << (8 - by) : 0));
	return octets;
}

static bool hash_by(const struct step *s, struct filter_state *st, const char *name)
{
	const struct arg *rounds_arg = arg_key(s, "rounds"), *salt_arg = arg_key(s, "salt"),
			 *format = arg_key(s, "format"), *truncate_arg = arg_key(s, "truncate");
	int64_t rounds = 1, bits = 0;
	unsigned char out[EVP_MAX_MD_SIZE];
	size_t n;

	if ((rounds_arg && arg_number(rounds_arg, st, &rounds) < 0) || rounds < 1 || rounds > ROUNDS_MAX ||
		(truncate_arg && (arg_number(truncate_arg, st, &bits) < 0 || bits < 0)))
		return false;
	n = digest(name, salt_arg ? arg_text(salt_arg, st) : STR(""), st->value, rounds, out);
	if (n == 0)
		return false;
	n = shift_right(out, n, (size_t)bits);
	st->value = arena_dup(st->mem, str_pn(out, n));
	st->is_binary = true;
	if (format && str_eq(arg_text(format, st), STR("base64")))
		return filter_base64(s, st);
	return true;
}

static bool run_hash(const struct step *s, struct filter_state *st)
{
	const char *name = arena_cdup(st->mem, arg_text(&s->arg[0], st));

	return s->arg[0].key == NULL && filter_digest(str_c(name)) && hash_by(s, st, name);
}

static bool run_digest(const struct step *s, struct filter_state *st)
{
	return hash_by(s, st, s->filter->name);
}

static bool run_truncate(const struct step *s, struct filter_state *st)
{
	const struct arg *bits = arg_key(s, "bits");
	unsigned char *p = (unsigned char *)arena_cdup(st->mem, st->value);
	int64_t n;

	if (s->n == 0 || arg_number(bits ? bits : &s->arg[0], st, &n) < 0 || n < 0)
		return false;
	if (bits)
		st->value = str_pn(p, shift_right(p, st->value.n, (size_t)n));
	else
		st->value = str_sub(st->value, 0, (size_t)n);
	return true;
}

/* 2.3's %H and %N: a number out of a digest, modulo the width, with as many digits as the offset says. */
static bool hash_number(struct filter_state *st, uint64_t n)
{
	char text[24];
	struct buf b = BUF_INIT(VALUE_MAX);
	size_t length;

	if (st->width > 0)
		n %= (uint64_t)st->width;
	length = (size_t)snprintf(text, sizeof text, "%x", (unsigned)n);
	for (long i = (long)length; i < st->offset && i < FILL_MAX; i++)
		buf_add_char(&b, '0');
	buf_add_c(&b, text);
	st->offset = st->width = 0;
	return filter_take(st, &b);
}

static bool run_new_hash(const struct step *s, struct filter_state *st)
{
	unsigned char md5[EVP_MAX_MD_SIZE] = { 0 };
	uint64_t n = 0;

	(void)s;
	if (digest("md5", STR(""), st->value, 1, md5) == 0)
		return false;
	for (size_t i = 0; i < sizeof n; i++)
		n = n << 8 | md5[i];
	return hash_number(st, n);
}

/* The hash function of P. J. Weinberger, which %H has been since Dovecot 1.0. */
static bool run_old_hash(const struct step *s, struct filter_state *st)
{
	unsigned h = 0, g;

	(void)s;
	for (size_t i = 0; i < st->value.n; i++) {
		h = (h << 4) + (unsigned)(int)st->value.p[i];
		g = h & 0xf0000000U;
		if (g)
			h = (h ^ (g >> 24)) ^ g;
	}
	return hash_number(st, h);
}

static bool run_old_md5(const struct step *s, struct filter_state *st)
{
	return hash_by(s, st, "md5");
}

static const struct filter rows[] = {
	/* name, 2.3, args, by name, value */
	{ "hash", 0, 1, 1, " rounds salt ", true, run_hash },
	{ "md5", 0, 0, 0, " rounds salt ", true, run_digest },
	{ "sha1", 0, 0, 0, " rounds salt ", true, run_digest },
	{ "sha256", 0, 0, 0, " rounds salt ", true, run_digest },
	{ "sha384", 0, 0, 0, " rounds salt ", true, run_digest },
	{ "sha512", 0, 0, 0, " rounds salt ", true, run_digest },
	{ "truncate", 0, 0, 1, " bits ", true, run_truncate },
	{ "", 'H', 0, 0, NULL, true, run_old_hash },
	{ "", 'N', 0, 0, NULL, true, run_new_hash },
	{ "", 'M', 0, 0, NULL, true, run_old_md5 },
};

const struct filter_list filters_of_digests = { rows, sizeof rows / sizeof *rows };

const struct filter *filter_digest(struct str name)
{
	const struct filter *f = filter_by_name(name);

	return f && f->run == run_digest ? f : NULL;
}
