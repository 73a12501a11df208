/* service auth { unix_listener … inet_listener … }: where authd listens. */
#include "authd/settings_impl.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

static void load_user(struct loader *l, const struct dovecot_node *block, struct listener_settings *out)
{
	const struct dovecot_node *n = dovecot_get(block->child, "user");
	const struct passwd *pw = n && *n->value ? getpwnam(n->value) : NULL;
	uint64_t number;

	if (n == NULL || *n->value == '\0')
		return;
	if (pw)
		out->uid = pw->pw_uid;
	else if (str_u64(str_c(n->value), &number))
		out->uid = (uid_t)number;
	else
		settings_complain(l, n, "there is no user \"%s\"", n->value);
}

static void load_group(struct loader *l, const struct dovecot_node *block, struct listener_settings *out)
{
	const struct dovecot_node *n = dovecot_get(block->child, "group");
	const struct group *gr = n && *n->value ? getgrnam(n->value) : NULL;
	uint64_t number;

	if (n == NULL || *n->value == '\0')
		return;
	if (gr)
		out->gid = gr->gr_gid;
	else if (str_u64(str_c(n->value), &number))
		out->gid = (gid_t)number;
	else
		settings_complain(l, n, "there is no group \"%s\"", n->value);
}

static const struct {
	const char *name;
	enum listener_type type;
	mode_t mode;
	bool is_legacy;
} listener_types[] = {
	{ "auth", LISTEN_AUTH, 0600, false },
	{ "auth-legacy", LISTEN_AUTH, 0600, true },
	{ "legacy", LISTEN_AUTH, 0600, true },
	{ "client", LISTEN_AUTH, 0600, false },
	{ "login", LISTEN_LOGIN, 0666, false },
	{ "userdb", LISTEN_USERDB, 0666, false },
	{ "master", LISTEN_MASTER, 0600, false },
	/* Not made, whatever they are called: as sockets for clients they would let in by other mechanisms. */
	{ "token", LISTEN_TOKEN, 0600, false },
	{ "tokenlogin", LISTEN_TOKEN, 0666, false },
	{ "token-login", LISTEN_TOKEN, 0666, false },
};
enum { N_LISTENER_TYPES = sizeof listener_types / sizeof *listener_types };

static bool take_type(struct listener_settings *out, const char *name)
{
	for (size_t i = 0; i < N_LISTENER_TYPES; i++)
		if (strcmp(listener_types[i].name, name) == 0) {
			out->type = listener_types[i].type;
			out->is_legacy = listener_types[i].is_legacy;
			out->mode = listener_types[i].mode;
			return true;
		}
	return false;
}

/* By what follows the last "-" of the file's name; any other name is a client socket. */
static void type_of_name(struct listener_settings *out, const char *name)
{
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name, *dash = strrchr(base, '-');

	out->type = LISTEN_AUTH;
	out->mode = 0600;
	take_type(out, dash ? dash + 1 : base);
}

static void load_type(struct loader *l, const struct dovecot_node *block, struct listener_settings *out)
{
	const struct dovecot_node *type = dovecot_get(block->child, "type");

	if (type && !take_type(out, type->value))
		settings_complain(l, type, "type = %s; it should be auth, login, master or userdb", type->value);
}

static void load_mode(struct loader *l, const struct dovecot_node *block, struct listener_settings *out)
{
	const struct dovecot_node *n = dovecot_get(block->child, "mode");
	char *end;
	unsigned long mode;

	if (n == NULL)
		return;
	mode = strtoul(n->value, &end, 8);
	if (*end || end == n->value || mode > 0777)
		settings_complain(l, n, "mode = %s; it should be octal, such as 0660%s", n->value,
			strchr(n->value, '=') ? ", and each setting has a line of its own" : "");
	else
		out->mode = (mode_t)mode;
}

static void load_inet(struct loader *l, const struct dovecot_node *block, struct listener_settings *out)
{
	const struct dovecot_node *port = dovecot_get(block->child, "port");
	const char *host = dovecot_value(block->child, "address", dovecot_value(block->child, "listen", NULL));
	uint64_t number = 0;

	if (port && (!str_u64(str_c(port->value), &number) || number > 65535))
		settings_complain(
			l, port, "port = %s; it should be a number up to 65535 (0: do not listen)", port->value);
	if (port)
		out->port = (uint16_t)number;
	if (host)
		out->host = settings_keep(l, host);
}

/* The listener of that name: a new one, or what an earlier block said of it, which this one is laid over. */
static struct listener_settings *listener_of(struct loader *l, const struct dovecot_node *block, bool is_unix)
{
	struct settings *s = l->set;
	struct listener_settings *out = s->listener;

	for (; out < s->listener + s->n_listeners; out++)
		if ((out->host == NULL) == is_unix && strcmp(out->path, block->name) == 0)
			return out;
	if (s->n_listeners == LISTENERS_MAX) {
		settings_complain(l, block, "more than %d listeners", LISTENERS_MAX);
		return NULL;
	}
	s->n_listeners++;
	*out = (struct listener_settings){
		.path = settings_keep(l, block->name), .host = is_unix ? NULL : "", .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	type_of_name(out, block->name);
	return out;
}

static void load_listener(struct loader *l, const struct dovecot_node *block)
{
	bool is_unix = strcmp(block->key, "unix_listener") == 0;
	struct listener_settings *out;

	if (block->name == NULL || (!is_unix && strcmp(block->key, "inet_listener") != 0))
		return;
	if (is_unix && *block->name == '\0')
		settings_complain(l, block, "a unix_listener needs a path");
	out = listener_of(l, block, is_unix);
	if (out == NULL)
		return;
	out->file = settings_keep(l, block->file);
	out->line = block->line;
	load_type(l, block, out);
	load_user(l, block, out);
	load_group(l, block, out);
	load_mode(l, block, out);
	if (!is_unix)
		load_inet(l, block, out);
	if (out->type == LISTEN_TOKEN)
		buf_addf(l->warnings,
			"%s, line %u: %s is a socket for DOVECOT-TOKEN, by which Dovecot's own services know each "
			"other; it is not made\n",
			block->file, block->line, block->name);
}

static bool is_closed(const struct listener_settings *l)
{
	return l->type == LISTEN_TOKEN || (l->host ? l->port == 0 : l->mode == 0);
}

/* "mode = 0" and "port = 0" (which is a port's default) turn a listener off. */
static void drop_closed_listeners(struct settings *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_listeners; i++)
		if (!is_closed(&s->listener[i]))
			s->listener[n++] = s->listener[i];
	s->n_listeners = n;
}

void load_listeners(struct loader *l)
{
	const struct dovecot_node *n = l->conf->first;

	for (; (n = dovecot_section(n, "service")); n = n->next)
		if (strcmp(n->name, "auth") == 0)
			for (const struct dovecot_node *c = n->child; c; c = c->next)
				load_listener(l, c);
	drop_closed_listeners(l->set);
}
