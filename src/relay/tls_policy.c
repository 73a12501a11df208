#include "relay/relay.h"

#include "base/log.h"
#include "dns/hosts.h"

#include <string.h>

/* What TLS a destination needs: levels and attributes in Postfix's words (TLS_README, smtp_tls_policy_maps). */

static const char *const level_names[] = { [LEVEL_NONE] = "none",
	[LEVEL_MAY] = "may",
	[LEVEL_ENCRYPT] = "encrypt",
	[LEVEL_FINGERPRINT] = "fingerprint",
	[LEVEL_VERIFY] = "verify",
	[LEVEL_SECURE] = "secure" };
#define KNOWN_LEVELS "none, may, encrypt, fingerprint, verify and secure"

static bool level_parse(struct str text, enum tls_level *level)
{
	for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
		if (str_ieq(text, str_c(level_names[i]))) {
			*level = (enum tls_level)i;
			return true;
		}
	return false;
}

static void add_words(struct tls_policy *p, struct str text, const char *separators, struct arena *mem)
{
	struct str *old = p->match, word;
	size_t most = p->n_match + text.n / 2 + 1;

	p->match = arena_array(mem, most, sizeof *p->match);
	if (p->n_match)
		memcpy(p->match, old, p->n_match * sizeof *old);
	while (str_word(&text, separators, &word))
		p->match[p->n_match++] = arena_dup(mem, word);
}

/* Fingerprints have colons in them, so that other octets stand between two of them. */
static const char *separators_of(enum tls_level level)
{
	return level == LEVEL_FINGERPRINT ? " \t\r\n,|" : " \t\r\n,:";
}

/* What main.cf says for this level. */
static void add_default_match(const struct service *s, struct tls_policy *p, struct arena *mem)
{
	static const char *const parameters[] = { [LEVEL_FINGERPRINT] = "smtp_tls_fingerprint_cert_match",
		[LEVEL_VERIFY] = "smtp_tls_verify_cert_match",
		[LEVEL_SECURE] = "smtp_tls_secure_cert_match" };

	if (p->n_match == 0 && p->level >= LEVEL_FINGERPRINT)
		add_words(p, str_c(conf_str(s->view, parameters[p->level])), separators_of(p->level), mem);
}

static struct str sentence(struct arena *mem, const char *format, struct str what)
{
	return str_c(arena_printf(mem, format, STR_ARG(what)));
}

static bool set_once(const char **value, struct str text, struct arena *mem)
{
	bool first = *value == NULL;

	*value = arena_cdup(mem, text);
	return first && text.n > 0;
}

/* "name=value", or "{ name = value }". */
static int take_attribute(struct tls_policy *p, struct str word, struct arena *mem, struct str *why)
{
	ptrdiff_t equals = str_chr(word, '=');
	struct str name = equals < 0 ? word : str_trim(str_sub(word, 0, (size_t)equals));
	struct str value = equals < 0 ? STR("") : str_trim(str_from(word, (size_t)equals + 1));
	bool good = false;

	if (str_ieq(name, STR("match")) && p->level >= LEVEL_FINGERPRINT) {
		good = value.n > 0;
		add_words(p, value, separators_of(p->level), mem);
	} else if (str_ieq(name, STR("protocols")) && p->level >= LEVEL_MAY) {
		good = set_once(&p->protocols, value, mem);
	} else if (str_ieq(name, STR("ciphers")) && p->level >= LEVEL_MAY) {
		good = set_once(&p->ciphers, value, mem);
	} else if (str_ieq(name, STR("exclude")) && p->level >= LEVEL_MAY) {
		good = set_once(&p->exclude, value, mem);
	} else if (str_ieq(name, STR("servername")) && p->level >= LEVEL_MAY) {
		good = set_once(&p->servername, value, mem);
	} else {
		*why = sentence(mem, "the attribute \"%.*s\" is not supported at this level; remove it", word);
		return -1;
	}
	if (!good)
		*why = sentence(mem, "the attribute \"%.*s\" has no value, or stands twice", word);
	return good ? 0 : -1;
}

static bool next_attribute(struct str *rest, struct str *word)
{
	ptrdiff_t end;

	while (rest->n > 0 && strchr(" \t\r\n,", rest->p[0]))
		*rest = str_from(*rest, 1);
	if (rest->n == 0 || rest->p[0] != '{')
		return str_word(rest, " \t\r\n,", word);
	end = str_chr(*rest, '}');
	*word = str_trim(str_sub(*rest, 1, end < 0 ? rest->n : (size_t)end - 1));
	*rest = str_from(*rest, end < 0 ? rest->n : (size_t)end + 1);
	return true;
}

/* Is it something that OpenSSL can do? */
static int try_out(const struct service *s, const struct tls_policy *p, struct arena *mem, struct str *why)
{
	struct buf error = BUF_INIT(4096);
	struct tls_peer peer = tls_policy_peer(s, p, STR("host.example"), STR("nexthop.example"), mem);
	int r;

	if (p->level == LEVEL_NONE)
		return 0;
	r = s->tls_must ? tls_peer_check(s->tls_must, &peer, &error) : -1;
	if (r != 0)
		*why = error.n ? arena_dup(mem, buf_str(&error)) : STR("it cannot be set up");
	buf_free(&error);
	return r;
}

int tls_policy_parse(
	const struct service *s, struct str value, struct arena *mem, struct tls_policy *p, struct str *why)
{
	struct str word;

	memset(p, 0, sizeof *p);
	p->text = arena_dup(mem, value);
	if (!str_word(&value, " \t\r\n,", &word)) {
		*why = STR("it is empty; a level is needed: " KNOWN_LEVELS);
		return -1;
	}
	if (!level_parse(word, &p->level)) {
		*why = sentence(mem, "the level \"%.*s\" is not supported; " KNOWN_LEVELS " are", word);
		return -1;
	}
	if (s->wrapper && p->level < LEVEL_ENCRYPT) {
		*why = sentence(mem, "smtp_tls_wrappermode = yes needs encrypt (or stronger), not \"%.*s\"", word);
		return -1;
	}
	while (next_attribute(&value, &word))
		if (take_attribute(p, word, mem, why) != 0)
			return -1;
	add_default_match(s, p, mem);
	return try_out(s, p, mem, why);
}

void tls_policy_default(struct service *s)
{
	const char *level = conf_str(s->view, "smtp_tls_security_level");
	struct arena *mem = arena_new(256);
	struct str why;

	s->mem = mem;
	s->tls_digest = conf_str(s->view, "smtp_tls_fingerprint_digest");
	/* A level that cannot be kept must not become a weaker one in silence. */
	if (*level && !level_parse(str_c(level), &s->tls.level))
		fatal("service %s: smtp_tls_security_level = %s is not supported; " KNOWN_LEVELS " are", s->name,
			level);
	add_default_match(s, &s->tls, mem);
	if (s->tls.level != LEVEL_NONE && try_out(s, &s->tls, mem, &why) != 0)
		fatal("service %s: smtp_tls_security_level = %s: %.*s", s->name, level, STR_ARG(why));
}

/* Words that stand for what is known only when a server is connected to. */
static struct str expand(struct str word, struct str host, struct str nexthop, struct arena *mem)
{
	if (str_ieq(word, STR("hostname")))
		return arena_dup(mem, host);
	if (str_ieq(word, STR("nexthop")))
		return arena_dup(mem, nexthop);
	if (str_ieq(word, STR("dot-nexthop")))
		return str_c(arena_printf(mem, ".%.*s", STR_ARG(nexthop)));
	return arena_dup(mem, word);
}

/* An address is no name for SNI (RFC 6066 sec. 3). */
static const char *server_name(
	const struct service *s, const struct tls_policy *p, struct str host, struct str nexthop, struct arena *mem)
{
	struct str word = str_c(p->servername ? p->servername : conf_str(s->view, "smtp_tls_servername"));
	struct sockaddr_storage unused;
	struct str name;

	if (word.n == 0 && p->level >= LEVEL_VERIFY)
		word = p->level == LEVEL_VERIFY ? STR("hostname") : STR("nexthop");
	name = expand(word, host, nexthop, mem);
	return name.n == 0 || addr_parse(name, &unused) ? NULL : arena_cdup(mem, name);
}

static const char *excluded(const struct service *s, bool must, struct arena *mem)
{
	return arena_printf(mem, "%s %s", conf_str(s->view, "smtp_tls_exclude_ciphers"),
		must ? conf_str(s->view, "smtp_tls_mandatory_exclude_ciphers") : "");
}

struct tls_peer tls_policy_peer(
	const struct service *s, const struct tls_policy *p, struct str host, struct str nexthop, struct arena *mem)
{
	bool must = p->level >= LEVEL_ENCRYPT;
	struct str *match = arena_array(mem, p->n_match + 1, sizeof *match);
	struct tls_peer peer = { .sni = server_name(s, p, host, nexthop, mem),
		.demand = p->level >= LEVEL_VERIFY	  ? TLS_DEMAND_NAME
			  : p->level == LEVEL_FINGERPRINT ? TLS_DEMAND_FINGERPRINT
							  : TLS_DEMAND_NOTHING,
		.match = match,
		.n_match = p->n_match,
		.digest = s->tls_digest,
		.protocols = p->protocols };

	for (size_t i = 0; i < p->n_match; i++)
		match[i] = p->level >= LEVEL_VERIFY ? expand(p->match[i], host, nexthop, mem)
						    : arena_dup(mem, p->match[i]);
	if (p->ciphers || p->exclude) {
		peer.ciphers = p->ciphers ? p->ciphers
					  : conf_str(s->view, must ? "smtp_tls_mandatory_ciphers" : "smtp_tls_ciphers");
		peer.exclude_ciphers = p->exclude ? p->exclude : excluded(s, must, mem);
	}
	return peer;
}
