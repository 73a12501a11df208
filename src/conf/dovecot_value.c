#include "conf/dovecot_impl.h"

static struct str unquote(struct dovecot_reader *r, struct str v)
{
	char *p = arena_alloc(r->conf->mem, v.n + 1);
	size_t n = 0;

	for (size_t i = 1; i + 1 < v.n; i++) {
		if (v.p[i] == '\\' && i + 2 < v.n)
			i++;
		p[n++] = v.p[i];
	}
	return str_pn(p, n);
}

/* What Dovecot has where nothing is set. */
static const char *otherwise(struct str key)
{
	static const struct {
		const char *key, *value;
	} defaults[] = { { "auth_mechanisms", "plain" }, { "default_internal_user", "dovecot" },
		{ "default_internal_group", "dovecot" }, { "default_login_user", "dovenull" } };

	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		if (str_eq(key, str_c(defaults[i].key)))
			return defaults[i].value;
	return NULL;
}

/* Earlier value of a key: in this section, then in the sections around it. */
static const char *earlier(struct dovecot_reader *r, struct str key)
{
	const struct dovecot_node *found = NULL;

	for (unsigned level = r->level + 1; level-- > 0 && found == NULL;) {
		const struct dovecot_node *list = level ? r->open[level]->child : r->conf->first;

		for (; list; list = list->next)
			if (list->name == NULL && str_eq(str_c(list->key), key))
				found = list;
	}
	return found ? found->value : otherwise(key);
}

static struct str substitute(struct dovecot_reader *r, struct str v)
{
	struct buf out = BUF_INIT(DOVECOT_VALUE_MAX);
	struct str result;
	bool fits = true;

	for (size_t i = 0; i < v.n && fits; i++) {
		/* 2.4 writes $SET:key. */
		size_t mark = str_has_prefix(str_from(v, i), STR("$SET:")) ? 5 : 1, n = 0;
		struct str key = str_from(v, i + mark);
		const char *found;

		while (n < key.n && (ascii_is_alnum(key.p[n]) || key.p[n] == '_'))
			n++;
		found = v.p[i] == '$' && n ? earlier(r, str_sub(key, 0, n)) : NULL;
		if (found)
			i += mark - 1 + n;
		fits = (found ? buf_add_c(&out, found) : buf_add_char(&out, v.p[i])) == 0;
	}
	if (!fits)
		dovecot_complain(r, "the value grows over 65536 octets");
	result = arena_dup(r->conf->mem, buf_str(&out));
	buf_wipe(&out);
	return result;
}

static struct str from_file(struct dovecot_reader *r, struct str v)
{
	struct buf content = BUF_INIT(DOVECOT_FILE_MAX);
	const char *path = dovecot_beside(r, str_trim(str_from(v, 1)));
	int error = dovecot_read_file(path, &content);
	struct str result = { 0 };

	/* Keys and certificates of other services are named in this way, and often not for our eyes. */
	if (error == 0 && str_chr(buf_str(&content), '\0') < 0)
		result = arena_dup(r->conf->mem, buf_str(&content));
	else
		result = arena_dup(r->conf->mem, v);
	buf_wipe(&content);
	return result;
}

struct str dovecot_resolve(struct dovecot_reader *r, struct str v)
{
	bool quoted = v.n >= 2 && (v.p[0] == '"' || v.p[0] == '\'') && v.p[v.n - 1] == v.p[0];

	if (quoted)
		return unquote(r, v);
	if (r->flat)
		return v;
	if (v.n && v.p[0] == '<')
		return from_file(r, v);
	return str_chr(v, '$') >= 0 ? substitute(r, v) : v;
}
