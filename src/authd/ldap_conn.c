/*
 * A directory through libldap's asynchronous calls, so that every wait has an end. What struct sql_driver calls a query is
 * here a line of words, and its parameters what no word may become:
 *
 *	search SCOPE ATTRIBUTE…		base, filter; a row for each entry, with "dn" and each value of each attribute
 *	search? SCOPE ATTRIBUTE…	the same; where there is no such base there is no entry
 *	bind				name, password; a row when the server takes them
 *
 * A connection has two sessions: one that searches as dn =, and one that does nothing but bind as others, so that no search
 * is ever made with a user's rights.
 */
#include "authd/ldap_conn.h"

#include "authd/ldap_session.h"

#include <stdlib.h>

enum { ATTRS_MAX = 64, PAGE = 500 };

static struct ldap_conn *of(struct sql_conn *c)
{
	return (struct ldap_conn *)(void *)c;
}

static struct sql_conn *open_conn(const char *connect, const char *root)
{
	struct ldap_conn *c = xcalloc(1, sizeof *c);

	(void)root;
	c->driver = &sql_ldap;
	c->mem = arena_new(0);
	sql_connect_parse(connect, false, c->mem, &c->set);
	return (struct sql_conn *)(void *)c;
}

static void close_conn(struct sql_conn **at)
{
	struct ldap_conn *c = of(*at);

	*at = NULL;
	if (c == NULL)
		return;
	ldap_session_end(&c->searches);
	ldap_session_end(&c->binds);
	arena_wipe(&c->mem); /* dnpass */
	free(c);
}

/* ---- search ---- */

static void add_field(struct sql_row *row, size_t room, struct str name, struct str value)
{
	if (row->n < room)
		row->field[row->n++] = (struct sql_field){ .name = name, .value = value };
}

static void take_values(
	LDAP *ld, LDAPMessage *entry, const char *attr, struct arena *mem, struct sql_row *row, size_t room)
{
	struct berval **values = ldap_get_values_len(ld, entry, attr);
	struct str name = arena_dup(mem, str_c(attr));

	for (size_t i = 0; values && values[i]; i++) {
		add_field(row, room, name, arena_dup(mem, str_pn(values[i]->bv_val, values[i]->bv_len)));
		mem_wipe(values[i]->bv_val, values[i]->bv_len); /* of a password */
	}
	ldap_value_free_len(values);
}

static size_t count_values(LDAP *ld, LDAPMessage *entry)
{
	BerElement *ber = NULL;
	size_t n = 1;

	for (char *a = ldap_first_attribute(ld, entry, &ber); a; a = ldap_next_attribute(ld, entry, ber)) {
		struct berval **values = ldap_get_values_len(ld, entry, a);

		n += (size_t)ldap_count_values_len(values);
		ldap_value_free_len(values);
		ldap_memfree(a);
	}
	ber_free(ber, 0);
	return n;
}

static struct sql_row *take_entry(LDAP *ld, LDAPMessage *entry, struct arena *mem)
{
	struct sql_row *row = arena_alloc(mem, sizeof *row);
	size_t room = count_values(ld, entry);
	BerElement *ber = NULL;
	char *dn = ldap_get_dn(ld, entry);

	row->field = arena_array(mem, room, sizeof *row->field);
	add_field(row, room, STR("dn"), arena_dup(mem, str_c(dn)));
	ldap_memfree(dn);
	for (char *a = ldap_first_attribute(ld, entry, &ber); a; a = ldap_next_attribute(ld, entry, ber)) {
		take_values(ld, entry, a, mem, row, room);
		ldap_memfree(a);
	}
	ber_free(ber, 0);
	return row;
}

struct search {
	bool may_miss;
	int scope;
	char *attrs[ATTRS_MAX + 1];
	const char *base, *filter;
	size_t max_rows;
	struct sql_row **last;
	size_t n;
};

static void read_search(const char *sql, const struct str *params, struct arena *mem, struct search *s)
{
	struct str rest = str_c(sql), w;
	size_t n = 0;

	str_word(&rest, " ", &w);
	s->may_miss = str_eq(w, STR("search?"));
	str_word(&rest, " ", &w);
	s->scope = str_eq(w, STR("base"))	? LDAP_SCOPE_BASE
		   : str_eq(w, STR("onelevel")) ? LDAP_SCOPE_ONELEVEL
						: LDAP_SCOPE_SUBTREE;
	while (n < ATTRS_MAX && str_word(&rest, " ", &w))
		s->attrs[n++] = arena_cdup(mem, w);
	if (n == 0)
		s->attrs[0] = arena_cdup(mem, STR(LDAP_NO_ATTRS));
	s->base = arena_cdup(mem, params[0]);
	s->filter = arena_cdup(mem, params[1]);
}

static void take_entries(LDAP *ld, LDAPMessage *answer, struct arena *mem, struct search *s)
{
	for (LDAPMessage *e = ldap_first_entry(ld, answer); e; e = ldap_next_entry(ld, e)) {
		if (s->max_rows && s->n >= s->max_rows)
			break;
		*s->last = take_entry(ld, e, mem);
		s->last = &(*s->last)->next;
		s->n++;
	}
}

/* RFC 2696: where the next page begins; false: that was the last. */
static bool next_page(LDAP *ld, LDAPMessage *answer, struct berval *cookie)
{
	LDAPControl **controls = NULL, *page;
	ber_int_t total;

	ber_memfree(cookie->bv_val);
	*cookie = (struct berval){ 0 };
	if (answer == NULL || ldap_parse_result(ld, answer, NULL, NULL, NULL, NULL, &controls, 0) != LDAP_SUCCESS)
		return false;
	page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL);
	if (page)
		ldap_parse_pageresponse_control(ld, page, &total, cookie);
	ldap_controls_free(controls);
	return cookie->bv_len > 0;
}

static int search_once(const struct ldap_call *k, LDAP *ld, struct search *s, struct berval *cookie, bool *more)
{
	struct timeval wait = ldap_until(k->deadline, UINT64_MAX);
	LDAPControl *page = NULL, *controls[2] = { NULL, NULL };
	LDAPMessage *answer = NULL;
	int id = -1, r = LDAP_SUCCESS;

	/* A list has no bound of its own, and servers have. One that knows no pages gives it whole, or says so. */
	if (s->max_rows == 0)
		r = ldap_create_page_control(ld, PAGE, cookie, 0, &page);
	controls[0] = page;
	if (r == LDAP_SUCCESS)
		r = ldap_search_ext(
			ld, s->base, s->scope, s->filter, s->attrs, 0, controls, NULL, &wait, (int)s->max_rows, &id);
	if (r == LDAP_SUCCESS)
		r = ldap_wait(k, ld, id, &answer);
	ldap_control_free(page);
	if (r == LDAP_SUCCESS || (r == LDAP_SIZELIMIT_EXCEEDED && s->max_rows))
		take_entries(ld, answer, k->mem, s);
	*more = r == LDAP_SUCCESS && s->max_rows == 0 && next_page(ld, answer, cookie);
	ldap_msgfree(answer);
	return r;
}

static int search(const struct ldap_call *k, struct search *s, struct sql_row **rows)
{
	struct berval cookie = { 0 };
	LDAP *ld = k->c->searches;
	bool more = true;
	int r = LDAP_SUCCESS;

	*rows = NULL;
	s->last = rows;
	s->n = 0;
	while (r == LDAP_SUCCESS && more)
		r = search_once(k, ld, s, &cookie, &more);
	ber_memfree(cookie.bv_val);
	if (r == LDAP_SUCCESS || (r == LDAP_SIZELIMIT_EXCEEDED && s->max_rows) ||
		(r == LDAP_NO_SUCH_OBJECT && s->may_miss))
		return 0;
	*rows = NULL;
	return ldap_failed(k, ld, "search", r);
}

/* ---- bind ---- */

static int bind_user(const struct ldap_call *k, const struct str *params, struct sql_row **rows)
{
	LDAP *ld = k->c->binds;
	int r = ldap_bind_as(k, ld, arena_cdup(k->mem, params[0]), LDAP_SASL_SIMPLE, params[1]);

	*rows = NULL;
	switch (r) {
	case LDAP_SUCCESS:
		*rows = arena_alloc(k->mem, sizeof **rows);
		return 0;
	case LDAP_INVALID_CREDENTIALS:
	case LDAP_NO_SUCH_OBJECT:
	case LDAP_INAPPROPRIATE_AUTH: /* an entry without a password */
	case LDAP_INVALID_DN_SYNTAX:
		return 0;
	default:
		return ldap_failed(k, ld, "bind as a user", r);
	}
}

/* ---- run ---- */

static int run_once(
	const struct ldap_call *k, const char *sql, const struct str *params, size_t max_rows, struct sql_row **rows)
{
	struct search s = { .max_rows = max_rows };

	if (strcmp(sql, "bind") == 0)
		return bind_user(k, params, rows);
	read_search(sql, params, k->mem, &s);
	return search(k, &s, rows);
}

static int run(struct sql_conn *conn, const char *sql, const struct str *params, size_t n, unsigned wait_ms,
	size_t max_rows, struct arena *mem, struct sql_row **rows, const char **why)
{
	struct ldap_call k = { of(conn), mem, ldap_now_ms() + wait_ms, why };
	bool is_bind = strcmp(sql, "bind") == 0;
	LDAP **ld = is_bind ? &k.c->binds : &k.c->searches;
	int r = -SQL_EDOWN;

	*rows = NULL;
	k.c->deadline = k.deadline;
	if (n != 2 || str_chr(params[0], '\0') >= 0 || (!is_bind && str_chr(params[1], '\0') >= 0)) {
		*why = "a value has a NUL";
		return -SQL_EINPUT;
	}
	/* RFC 4513 sec. 5.1.2: without a password, and without a name, everybody may. */
	if (is_bind && (params[0].n == 0 || params[1].n == 0))
		return 0;
	/* One that was idle may have been closed by the server: then once more on a fresh one. */
	if (*ld)
		r = run_once(&k, sql, params, max_rows, rows);
	if (r != -SQL_EDOWN)
		return r;
	ldap_session_end(ld);
	if (ldap_session_begin(&k, !is_bind, ld) < 0)
		return -SQL_EDOWN;
	r = run_once(&k, sql, params, max_rows, rows);
	if (r == -SQL_EDOWN)
		ldap_session_end(ld);
	return r;
}

/* ---- the words of its configuration ---- */

static const char *check_words(const char *connect, struct arena *mem)
{
	struct sql_connect c;
	const char *why = sql_connect_parse(connect, false, mem, &c);

	for (size_t i = 0; why == NULL && i < c.n_hosts; i++) {
		LDAPURLDesc *url = NULL;

		if (ldap_url_parse(c.host[i], &url) != LDAP_URL_SUCCESS)
			why = arena_printf(mem,
				"\"%s\" is no address of a server; it should be ldap://HOST, "
				"ldaps://HOST or ldapi:///",
				c.host[i]);
		else if (strncmp(c.host[i], "ldaps:", 6) == 0 && *sql_connect_get(&c, "starttls", ""))
			why = arena_printf(
				mem, "%s speaks TLS from its first octet: STARTTLS is for ldap://", c.host[i]);
		ldap_free_urldesc(url);
	}
	return why;
}

static size_t ports(const char *connect, uint16_t *out, size_t max, struct arena *mem)
{
	struct sql_connect c;
	size_t n = 0;

	sql_connect_parse(connect, false, mem, &c);
	for (size_t i = 0; i < c.n_hosts && n < max; i++) {
		LDAPURLDesc *url = NULL;

		if (ldap_url_parse(c.host[i], &url) == LDAP_URL_SUCCESS && url->lud_port > 0 && url->lud_port < 65536)
			out[n++] = (uint16_t)url->lud_port;
		ldap_free_urldesc(url);
	}
	return n;
}

void ldap_conn_init(void)
{
	int version = 0;

	/* libldap reads ldap.conf, and makes its locks, at the first call: before the jail, and before there are threads. */
	ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
}

const struct sql_driver sql_ldap = { .name = "ldap",
	.dialect = SQL_QUESTION,
	.open = open_conn,
	.close = close_conn,
	.run = run,
	.check = check_words,
	.ports = ports };
