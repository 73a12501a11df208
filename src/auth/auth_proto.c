#include "auth/auth_proto.h"
#include "auth/auth_client.h"

static const struct {
	const char *name;
	unsigned flag;
} flag_names[] = {
	{ "anonymous", AUTH_MECH_ANONYMOUS },
	{ "plaintext", AUTH_MECH_PLAINTEXT },
	{ "dictionary", AUTH_MECH_DICTIONARY },
	{ "active", AUTH_MECH_ACTIVE },
	{ "mutual-auth", AUTH_MECH_MUTUAL },
	{ "forward-secrecy", AUTH_MECH_FORWARD_SECRECY },
	{ "private", AUTH_MECH_PRIVATE },
	{ "channel-binding", AUTH_MECH_CHANNEL_BINDING },
};
enum { N_FLAGS = sizeof flag_names / sizeof *flag_names };

int auth_line_next(struct str in, size_t *used, struct str *line)
{
	ptrdiff_t lf = str_chr(str_sub(in, 0, AUTH_MAX_LINE), '\n');

	*used = 0;
	*line = (struct str){ 0 };
	if (lf < 0)
		return in.n >= AUTH_MAX_LINE ? -1 : 0;
	*used = (size_t)lf + 1;
	*line = str_sub(in, 0, (size_t)lf);
	return 1;
}

static char escape_of(char c)
{
	switch (c) {
	case '\0':
		return '0';
	case '\001':
		return '1';
	case '\t':
		return 't';
	case '\r':
		return 'r';
	case '\n':
		return 'n';
	}
	return 0;
}

static char unescape_of(char c)
{
	switch (c) {
	case '0':
		return '\0';
	case '1':
		return '\001';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	}
	return c;
}

int auth_escape(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char e = escape_of(s.p[i]);

		if (e ? buf_add(out, (char[2]){ '\001', e }, 2) < 0 : buf_add_char(out, s.p[i]) < 0)
			return -1;
	}
	return 0;
}

struct str auth_unescape(struct arena *mem, struct str s)
{
	char *p;
	size_t n = 0;

	if (str_chr(s, '\001') < 0)
		return s;
	p = arena_alloc(mem, s.n + 1);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\001')
			p[n++] = s.p[i];
		else if (++i < s.n)
			p[n++] = unescape_of(s.p[i]);
	}
	return str_pn(p, n);
}

int auth_add_field(struct buf *out, const char *key, struct str s)
{
	if (buf_add_char(out, '\t') < 0 || buf_add_c(out, key) < 0)
		return -1;
	return auth_escape(out, s);
}

bool auth_field(struct str *rest, struct str *field)
{
	return str_field(rest, "\t", field);
}

bool auth_is_key(struct str field, const char *key, struct str *value)
{
	struct str k = str_c(key);

	if (!str_has_prefix(field, k))
		return false;
	*value = str_from(field, k.n);
	return true;
}

bool auth_is_secret(struct str name)
{
	static const char *const words[] = { "pass", "secret", "token", "key", "nonce", "hash", "resp", "forward" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		for (size_t k = 0; k < name.n; k++)
			if (str_has_iprefix(str_from(name, k), str_c(words[i])))
				return true;
	return false;
}

bool auth_id(struct str s, uint32_t *id)
{
	uint64_t v;

	*id = 0;
	if (!str_u64(s, &v) || v == 0 || v > UINT32_MAX)
		return false;
	*id = (uint32_t)v;
	return true;
}

unsigned auth_flag(struct str name)
{
	for (size_t i = 0; i < N_FLAGS; i++)
		if (str_eq(name, str_c(flag_names[i].name)))
			return flag_names[i].flag;
	return 0;
}

void auth_add_flags(struct buf *out, unsigned flags)
{
	for (size_t i = 0; i < N_FLAGS; i++)
		if (flags & flag_names[i].flag)
			buf_addf(out, "\t%s", flag_names[i].name);
}
