/*
 * auth_client.h - ask an authentication service in Dovecot's auth protocol (docs/protocol/auth.md), versions 1.0 to 1.4.
 *
 * One multiplexed connection per process, that reconnects by itself (at once, then every second while it fails). It
 * speaks to authd and to Dovecot 2.3 and 2.4 alike. While the service is away each request ends AUTH_TEMP; one log line
 * says which socket failed and why, and one that it is back. A request that is not answered within `timeout_s` ends
 * AUTH_TEMP. Every field that goes out is escaped; a bad answer to one request ends that request only, broken framing
 * ends the connection.
 */
#ifndef AUTH_AUTH_CLIENT_H
#define AUTH_AUTH_CLIENT_H

#include "base/buf.h"
#include <uv.h>

struct auth_client;
/*
 * `path`: "private/auth" (relative to the current directory: the chroot), "/abs/path", "unix:path", "inet:host:port".
 * The path is copied. Connects at once, and keeps trying.
 */
struct auth_client *auth_client_new(uv_loop_t *loop, const char *path, unsigned timeout_s);
void auth_client_free(struct auth_client **c);

enum auth_mech_flag { /* of the MECH line */
	AUTH_MECH_ANONYMOUS = 1,
	AUTH_MECH_PLAINTEXT = 2,
	AUTH_MECH_DICTIONARY = 4,
	AUTH_MECH_ACTIVE = 8,
	AUTH_MECH_MUTUAL = 16,
	AUTH_MECH_FORWARD_SECRECY = 32,
	AUTH_MECH_PRIVATE = 64,
	AUTH_MECH_CHANNEL_BINDING = 128
};
struct auth_mech {
	struct str name; /* "PLAIN", in capitals */
	unsigned flags;
};
/* The mechanisms that the service offers now (the last known ones while it is away); 0 while none is known. */
size_t auth_client_mechs(const struct auth_client *c, const struct auth_mech **first);
/* Call `fn` each time a handshake is done, never from within a call of the caller's. NULL: no more. */
void auth_client_on_up(struct auth_client *c, void (*fn)(struct auth_client *c));
/* The minor version of the protocol that the service speaks. */
unsigned auth_client_minor(const struct auth_client *c);
/* Is the connection up, with its handshake done? */
bool auth_client_is_up(const struct auth_client *c);
/* Why the last connection came to nothing, and what to do, as one line without an end. False: none did, or it is up. */
bool auth_client_fault(const struct auth_client *c, struct buf *out);

enum auth_outcome {
	AUTH_OK,	/* user is set */
	AUTH_FAIL,	/* wrong secret, unknown user, disabled …: 535; code and reason may say why */
	AUTH_TEMP,	/* 454: service away, slow, or it said temp_fail */
	AUTH_LATER,	/* 454: too many failed logins; reason says of whom, and until when. authd's alone */
	AUTH_BAD_BASE64 /* 501 5.5.2 */
};

enum { AUTH_BINDING_TYPE_MAX = 64 };

struct auth_request {	    /* embedded in the session; zeroed by the caller, fields set, before auth_start() */
	struct str mech;    /* one of auth_client_mechs() */
	struct str service; /* "smtp" */
	struct str local_ip, remote_ip; /* "" not known */
	uint16_t local_port, remote_port;
	bool secured;	       /* under TLS */
	struct str local_name; /* the name that the client asked for in TLS (SNI); "" none, as with the next ones */
	struct str session;    /* of this session, for the service's log */
	bool has_valid_cert;   /* the client has shown a certificate that we trust */
	struct str cert_name;  /* its common name */
	struct str cert_print, cert_key_print; /* SHA-256 of it, of its public key, in hexadecimal */
	bool has_initial;
	struct str initial; /* initial response, base64 as the client sent it; "=" is an empty one */
	/* The service wants one more answer: base64 challenge, without "334 ". Call auth_continue() or auth_cancel(). */
	void (*on_challenge)(struct auth_request *r, struct str challenge);
	/*
	 * The service wants the data of this channel (tls_channel_binding()), raw, appended to *out. Returns 0, or -1:
	 * there are none of that type. NULL: there never are.
	 */
	int (*on_binding)(struct auth_request *r, struct str type, struct buf *out);
	/* The line that ends it: "OK" or "FAIL", and its fields, escaped. Before on_end; may be NULL. */
	void (*on_answer)(struct auth_request *r, struct str word, struct str fields);
	/* The end. Slices live for the call only. */
	void (*on_end)(struct auth_request *r, enum auth_outcome outcome, struct str user, struct str reason);
	/* auth_client.c's */
	struct auth_client *client;
	struct auth_request *next;
	uint32_t id;
	uint64_t deadline_ms;
	char binding_type[AUTH_BINDING_TYPE_MAX + 1]; /* whose data go with the next answer; "": nobody asked for any */
};
/* Callbacks never come from within these calls. */
void auth_start(struct auth_client *c, struct auth_request *r);
void auth_continue(struct auth_request *r, struct str base64);
/* Forget it, here and at the service ("*", RFC 4954 sec. 4; a client that is gone). No callback follows. */
void auth_cancel(struct auth_request *r);

#endif
