/*
 * str.h - a borrowed slice of octets: pointer and length, never a C string.
 *
 * A struct str owns nothing. It may hold NUL octets; p may be NULL only when n == 0. Passed by value, valid as long as
 * the memory that it points into. ASCII rules only: no locale ever changes an answer.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

/* A slice of a string literal. */
#define STR(lit) ((struct str){ "" lit, sizeof(lit) - 1 })
/* For printf's "%.*s". */
#define STR_ARG(s) ((int)(s).n), ((s).p ? (s).p : "")

/* The slice of a NUL-terminated string; NULL gives the empty slice. */
struct str str_c(const char *s);
/* The slice of n octets at p. */
struct str str_pn(const void *p, size_t n);

bool str_eq(struct str a, struct str b);
/* Equal without regard to ASCII case. */
bool str_ieq(struct str a, struct str b);
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_iprefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
bool str_has_isuffix(struct str s, struct str suffix);
/* Negative, 0, positive, like memcmp; the shorter of two equal beginnings is the smaller. */
int str_cmp(struct str a, struct str b);

/* Position of the octet c (the first; the last), or -1. */
ptrdiff_t str_chr(struct str s, char c);
ptrdiff_t str_rchr(struct str s, char c);

/* All from position `from`; at most `n` octets from there. Out of range gives the empty slice at the end. */
struct str str_from(struct str s, size_t from);
struct str str_sub(struct str s, size_t from, size_t n);
/* Without leading and trailing octets of the set " \t\r\n". */
struct str str_trim(struct str s);

/*
 * Cut the next field off *rest: all before the first octet that is in the NUL-terminated set `seps`.
 * Returns false when *rest had ended before (rest->p == NULL), so that "a,,b" gives "a", "", "b".
 */
bool str_field(struct str *rest, const char *seps, struct str *field);
/* Cut the next non-empty word off *rest: runs of octets of `seps` separate. Returns false at the end. */
bool str_word(struct str *rest, const char *seps, struct str *word);

/* 1*20DIGIT to a number. Returns false (and *out 0) for anything else, or over UINT64_MAX. */
bool str_u64(struct str s, uint64_t *out);

char ascii_lower(char c);
bool ascii_is_alpha(char c);
bool ascii_is_digit(char c);
bool ascii_is_alnum(char c);
/* Printable ASCII without the space: %d33-126. */
bool ascii_is_graph(char c);

/* 64-bit hash (SipHash-1-3 under a key drawn at process start), for tables that a peer's octets index. */
uint64_t str_hash(struct str s);
/* The same without regard to ASCII case. */
uint64_t str_ihash(struct str s);
/* Under a key that several processes share: 16 octets. */
uint64_t str_hash_keyed(struct str s, const void *key);

/* Equal, in a time that depends on the lengths only. */
bool mem_eq_ct(const void *a, const void *b, size_t n);
/* Overwrite with zeros, never optimised away. */
void mem_wipe(void *p, size_t n);

#endif
