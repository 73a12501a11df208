/* auth_policy_…, as Dovecot has them. */
#include "authd/policy.h"

#include "authd/settings_impl.h"

static const char default_attributes[] = "login=%{requested_username} pwhash=%{hashed_password} remote=%{rip} "
					 "device_id=%{client_id} protocol=%s session_id=%{session}";

static unsigned load_number(struct loader *l, const char *key, unsigned otherwise, unsigned max)
{
	const struct dovecot_node *n = settings_get(l, key);
	uint64_t number = otherwise;

	if (n && (!str_u64(str_c(n->value), &number) || number > max))
		settings_complain(l, n, "%s = %s; it should be a number up to %u", key, n->value, max);
	return (unsigned)number;
}

static void load_hash(struct loader *l, const struct dovecot_node *url)
{
	struct policy_settings *p = &l->set->policy;
	const struct dovecot_node *n = settings_get(l, "auth_policy_hash_mech");
	const char *name = n ? n->value : "sha256";

	p->hash = EVP_get_digestbyname(name);
	if (p->hash == NULL)
		settings_complain(l, n, "auth_policy_hash_mech = %s; it should be sha256, sha512, sha1 or md5", name);
	p->nonce = settings_keep(l, settings_value(l, "auth_policy_hash_nonce", ""));
	if (url && *p->nonce == '\0')
		settings_complain(l, url,
			"auth_policy_server_url needs auth_policy_hash_nonce: a random text, the same on all servers");
	p->truncate = load_number(l, "auth_policy_hash_truncate", 12, 512);
}

static void load_attributes(struct loader *l)
{
	struct policy_settings *p = &l->set->policy;
	const struct dovecot_node *n = settings_get(l, "auth_policy_request_attributes");
	struct str rest = str_c(settings_keep(l, n ? n->value : default_attributes)), word, key;
	const char *why;

	while (str_word(&rest, " \t", &word)) {
		struct policy_attribute *a = &p->attribute[p->n_attributes];

		if (p->n_attributes == POLICY_ATTRIBUTES_MAX || str_chr(word, '=') <= 0) {
			settings_complain(l, n,
				"auth_policy_request_attributes: \"%.*s\"; it should be key=value, %d of them at most",
				STR_ARG(word), POLICY_ATTRIBUTES_MAX);
			return;
		}
		str_field(&word, "=", &key);
		a->key = key;
		if (template_compile(word, l->set->mem, &a->value, &why) < 0)
			settings_complain(l, n, "auth_policy_request_attributes: %s", why);
		p->n_attributes++;
	}
}

/* fetchd takes nothing else. */
static bool is_header(struct str value)
{
	ptrdiff_t colon = str_chr(value, ':');

	for (ptrdiff_t i = 0; i < colon; i++)
		if (!ascii_is_alnum(value.p[i]) && value.p[i] != '-' && value.p[i] != '_')
			return false;
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
			return false;
	return colon != 0;
}

/* "Name: value", or the value of X-API-Key alone. */
static void load_header(struct loader *l)
{
	const struct dovecot_node *n = settings_get(l, "auth_policy_server_api_header");
	const char *value = n ? n->value : "";

	if (!is_header(str_c(value)))
		settings_complain(
			l, n, "auth_policy_server_api_header is no header; it should be as X-API-Key: secret");
	l->set->policy.header = arena_printf(l->set->mem, "Content-Type: application/json\n%s%s%s",
		*value && strchr(value, ':') == NULL ? "X-API-Key: " : "", value, *value ? "\n" : "");
}

static void load_site(struct loader *l, const struct dovecot_node *url)
{
	struct policy_settings *p = &l->set->policy;
	struct fetch_site_settings site = { .authorities = "", .takes_suffix = true };
	const char *why;

	site.url = settings_keep(l, url->value);
	site.authorities = settings_keep(l, dovecot_value(l->conf->first, "ssl_client_ca_file", ""));
	p->site = fetch_site_add(&l->set->fetch, &site, l->set->mem, &why);
	if (p->site < 0)
		settings_complain(l, url, "auth_policy_server_url: %s", why);
	else if (fetch_site_is_open(url->value))
		buf_addf(l->warnings,
			"%s, line %u: auth_policy_server_url: who logs in from where crosses a network in the clear; "
			"take https\n",
			url->file, url->line);
	if (p->site >= 0)
		l->set->fetch.site[p->site].loss =
			p->rejects_on_fail && !p->only_logs ? FETCH_LOSS_REFUSED : FETCH_LOSS_NONE;
	p->allow = url->value[strlen(url->value) - 1] == '&' ? STR("command=allow") : STR("?command=allow");
	p->report = url->value[strlen(url->value) - 1] == '&' ? STR("command=report") : STR("?command=report");
}

void load_policy(struct loader *l)
{
	struct policy_settings *p = &l->set->policy;
	const struct dovecot_node *url = settings_get(l, "auth_policy_server_url");
	size_t before = l->errors->n;

	p->is_set = p->asks_before = p->asks_after = p->reports = true;
	p->timeout_ms = load_number(l, "auth_policy_server_timeout_msecs", 2000, FETCH_TIMEOUT_MAX_MS);
	load_header(l);
	load_hash(l, url);
	load_attributes(l);
	settings_bool(l, "auth_policy_reject_on_fail", &p->rejects_on_fail);
	settings_bool(l, "auth_policy_check_before_auth", &p->asks_before);
	settings_bool(l, "auth_policy_check_after_auth", &p->asks_after);
	settings_bool(l, "auth_policy_report_after_auth", &p->reports);
	settings_bool(l, "auth_policy_log_only", &p->only_logs);
	if (url && *url->value) {
		load_site(l, url);
		return;
	}
	/* Nobody is asked: what is wrong with the questions is no fault. */
	buf_cut(l->errors, before);
	*p = (struct policy_settings){ 0 };
}
