/* oauth2_places.h - between oauth2_blocks.c, which finds where settings of tokens stand, and oauth2_settings.c, which reads them. */
#ifndef AUTHD_OAUTH2_PLACES_H
#define AUTHD_OAUTH2_PLACES_H

#include "authd/oauth2.h"
#include "authd/settings_impl.h"

enum { OAUTH2_PLACES_MAX = 5 };

/* Where a setting may stand: in the file that args names; or in the passdb block, in oauth2 { }, or around them. */
struct oauth2_places {
	struct {
		const struct dovecot_node *list;
		const char *prefix; /* of its name there */
	} at[OAUTH2_PLACES_MAX];
	size_t n;
	struct oauth2 *out;
	const char *ca_file; /* ssl_client_ca_file around all of them; NULL: none */
};

/* One more place, looked at after those before it. Both are the caller's, who keeps them as long as *p. */
void oauth2_place_add(struct oauth2_places *p, const struct dovecot_node *list, const char *prefix);
/* The first setting of that name (without prefix). NULL: there is none. */
const struct dovecot_node *oauth2_place_get(const struct oauth2_places *p, const char *name);
/* Read them all into *p->out, whose `file` and `is_grant` are set. Faults are lines of l->errors. */
void oauth2_load_from(struct loader *l, const struct oauth2_places *p);

#endif
