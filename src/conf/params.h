/*
 * params.h - the one table of main.cf parameters: it feeds the readers, postconf and the manual.
 *
 * Names, types and defaults are Postfix's (as of 3.11), so that a guide's main.cf keeps its meaning; the rows are
 * in params_*.c by subject. Defaults are expressions, expanded like any value.
 */
#ifndef CONF_PARAMS_H
#define CONF_PARAMS_H

#include "base/str.h"

enum param_type {
	PARAM_STRING, /* min octets at least */
	PARAM_RAW,    /* a string whose $names are not main.cf's: it is handed over unexpanded */
	PARAM_LIST,   /* words: conf_list() */
	PARAM_BOOL,   /* yes, no */
	PARAM_INT,    /* min..max */
	PARAM_OCTETS, /* an integer that counts octets */
	PARAM_TIME,   /* number with s, m, h, d or w; min..max in seconds */
	PARAM_LEVEL,  /* one to three numbers with points: 3.6 */
	PARAM_ENUM    /* one of the words, without regard to case; conf_str() gives it in lower case */
};

struct param {
	const char *name;
	enum param_type type;
	const char *initial; /* default expression */
	const char *words;   /* ENUM: "|none|may|encrypt", an empty alternative allows the empty value */
	int64_t min, max;    /* max 0: no limit */
	char unit;	     /* TIME: unit of a number without one */
	unsigned char acts;  /* ACTS: Gatepost acts on it; else it is only known */
	bool twin;	     /* an smtp_ parameter that exists as lmtp_ too, with the same meaning */
	const char *meaning; /* one line, no full stop */
};

enum { KNOWN = 0, ACTS = 1, LMTP_ACTS = 2 }; /* the last: the lmtp_ twin acts too */
enum { TWIN = 1, SINGLE = 0 };

/* Rows of the table. `a` is ACTS or KNOWN, and LMTP_ACTS. */
#define P_STRING(name, initial, a, meaning)                                    \
	{                                                                      \
		name, PARAM_STRING, initial, NULL, 0, 0, 0, a, SINGLE, meaning \
	}
/* One that may not be empty. */
#define P_NEEDED(name, initial, a, meaning)                                    \
	{                                                                      \
		name, PARAM_STRING, initial, NULL, 1, 0, 0, a, SINGLE, meaning \
	}
#define P_RAW(name, initial, a, meaning)                                    \
	{                                                                   \
		name, PARAM_RAW, initial, NULL, 0, 0, 0, a, SINGLE, meaning \
	}
#define P_LIST(name, initial, a, meaning)                                    \
	{                                                                    \
		name, PARAM_LIST, initial, NULL, 0, 0, 0, a, SINGLE, meaning \
	}
#define P_BOOL(name, initial, a, meaning)                                    \
	{                                                                    \
		name, PARAM_BOOL, initial, NULL, 0, 0, 0, a, SINGLE, meaning \
	}
#define P_INT(name, initial, min, max, a, meaning)                              \
	{                                                                       \
		name, PARAM_INT, initial, NULL, min, max, 0, a, SINGLE, meaning \
	}
#define P_OCTETS(name, initial, min, a, meaning)                                 \
	{                                                                        \
		name, PARAM_OCTETS, initial, NULL, min, 0, 0, a, SINGLE, meaning \
	}
#define P_TIME(name, initial, unit, min, max, a, meaning)                           \
	{                                                                           \
		name, PARAM_TIME, initial, NULL, min, max, unit, a, SINGLE, meaning \
	}
#define P_ENUM(name, initial, words, a, meaning)                              \
	{                                                                     \
		name, PARAM_ENUM, initial, words, 0, 0, 0, a, SINGLE, meaning \
	}
/* The same for smtp_ parameters with an lmtp_ twin. */
#define T_STRING(name, initial, a, meaning)                                  \
	{                                                                    \
		name, PARAM_STRING, initial, NULL, 0, 0, 0, a, TWIN, meaning \
	}
#define T_LIST(name, initial, a, meaning)                                  \
	{                                                                  \
		name, PARAM_LIST, initial, NULL, 0, 0, 0, a, TWIN, meaning \
	}
#define T_BOOL(name, initial, a, meaning)                                  \
	{                                                                  \
		name, PARAM_BOOL, initial, NULL, 0, 0, 0, a, TWIN, meaning \
	}
#define T_INT(name, initial, min, max, a, meaning)                            \
	{                                                                     \
		name, PARAM_INT, initial, NULL, min, max, 0, a, TWIN, meaning \
	}
#define T_TIME(name, initial, unit, min, max, a, meaning)                         \
	{                                                                         \
		name, PARAM_TIME, initial, NULL, min, max, unit, a, TWIN, meaning \
	}
#define T_ENUM(name, initial, words, a, meaning)                            \
	{                                                                   \
		name, PARAM_ENUM, initial, words, 0, 0, 0, a, TWIN, meaning \
	}

/* One file of rows. */
struct param_group {
	const struct param *rows;
	size_t n;
};
extern const struct param_group params_smtpd, params_smtp, params_tls, params_queue, params_delivery, params_address,
	params_content, params_postscreen, params_system, params_gatepost;

/* All rows, sorted by name, the twins included. Static. Returns their number. */
size_t params_all(const struct param *const **rows);
/* The row of that name, or NULL. */
const struct param *param_find(struct str name);
/*
 * A parameter that exists once per delivery service, "SERVICE_destination_recipient_limit" and the like. Returns the
 * row that it follows (default_destination_recipient_limit) and the length of SERVICE, or NULL.
 */
const struct param *param_of_service(struct str name, size_t *service_len);
/* The suffixes of such parameters: "_destination_recipient_limit" with the name that it defaults to; NULL at the end. */
struct param_suffix {
	const char *suffix, *follows;
};
const struct param_suffix *param_suffixes(void);
/* Has a service that runs this program ("pipe") a parameter that follows that one ("command_time_limit")? */
bool param_is_of_process(const char *follows, const char *process_name);
/* The table's name that is closest to this one, when it is close enough to be a misspelling; else NULL. */
const char *param_guess(struct str name);

#endif
