/* One request: its name is looked up in the DNS, libcurl carries it to there, and the answer is read within its bounds. */
#include "fetchd/fetchd.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 65536 }; /* libcurl keeps all fields, and has no limit for those behind the body */

/* ---- its end ---- */

static void on_timer_closed(uv_handle_t *h)
{
	free(container_of((uv_timer_t *)(void *)h, struct call, timer));
}

static void slist_wipe(struct curl_slist **l)
{
	for (struct curl_slist *i = *l; i; i = i->next)
		mem_wipe(i->data, strlen(i->data));
	curl_slist_free_all(*l);
	*l = NULL;
}

void call_drop(struct call *c)
{
	*(c->prev ? &c->prev->next : &fetchd.calls) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	fetchd.n_calls--;
	if (c->is_asking)
		dns_cancel(&c->dns);
	dns_done(&c->dns);
	if (c->easy) {
		curl_multi_remove_handle(fetchd.multi, c->easy);
		curl_easy_cleanup(c->easy);
	}
	slist_wipe(&c->header);
	curl_slist_free_all(c->addresses);
	buf_wipe(&c->url);
	buf_wipe(&c->body);
	buf_wipe(&c->answer);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void fail(struct call *c, const char *why)
{
	site_failed(c->site, why);
	peer_answer(c->peer, c->id, &(struct fetch_answer){ .why = str_c(why) });
	call_drop(c);
}

static void on_timeout(uv_timer_t *t)
{
	fail(container_of(t, struct call, timer), "no answer in time");
}

void call_done(struct call *c, CURLcode result)
{
	struct fetch_answer a = { .max_age_s = c->max_age_s, .etag = str_c(c->etag), .body = buf_str(&c->answer) };
	char text[64];
	long status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	snprintf(text, sizeof text, "it answers with status %ld", status);
	if (c->too_long) {
		fail(c, c->too_long);
	} else if (result != CURLE_OK) {
		fail(c, *c->error ? c->error : curl_easy_strerror(result));
	} else if (status >= 300 && status < 400 && status != 304) {
		fail(c, "it redirects to another URL; no redirection is followed: name the place itself");
	} else if (status < 200 || status >= 500) {
		fail(c, text);
	} else {
		a.status = (uint32_t)status;
		site_answered(c->site);
		peer_answer(c->peer, c->id, &a);
		call_drop(c);
	}
}

/* ---- the answer, as it comes ---- */

static size_t on_body(char *p, size_t size, size_t n, void *context)
{
	struct call *c = context;

	if (buf_add(&c->answer, p, size * n) < 0) {
		c->too_long = "its answer is longer than 64 KB";
		return 0;
	}
	return size * n;
}

/* RFC 9111 sec. 5.2.2 */
static void take_cache_control(struct call *c, struct str value)
{
	struct str word;
	uint64_t s;

	while (str_word(&value, ", \t", &word)) {
		if (str_ieq(word, STR("no-store")) || str_ieq(word, STR("no-cache")))
			c->max_age_s = 0;
		else if (str_has_iprefix(word, STR("max-age=")) && c->max_age_s == FETCH_NO_AGE &&
			 str_u64(str_from(word, sizeof "max-age=" - 1), &s))
			c->max_age_s = s < FETCH_NO_AGE ? (uint32_t)s : FETCH_NO_AGE - 1;
	}
}

static void take_etag(struct call *c, struct str value)
{
	if (value.n > FETCH_ETAG_MAX)
		return;
	for (size_t i = 0; i < value.n; i++)
		if (!ascii_is_graph(value.p[i]))
			return;
	memcpy(c->etag, value.p, value.n);
	c->etag[value.n] = '\0';
}

static size_t on_header(char *p, size_t size, size_t n, void *context)
{
	struct call *c = context;
	struct str line = str_trim(str_pn(p, size * n)), name;

	c->header_octets += size * n;
	if (c->header_octets > HEADER_MAX) {
		c->too_long = "the header of its answer is longer than 64 KB";
		return 0;
	}
	if (str_has_iprefix(line, STR("HTTP/"))) { /* one of 1xx may come before the answer */
		c->max_age_s = FETCH_NO_AGE;
		c->etag[0] = '\0';
	} else if (str_field(&line, ":", &name) && line.p) {
		if (str_ieq(name, STR("Cache-Control")))
			take_cache_control(c, line);
		else if (str_ieq(name, STR("ETag")))
			take_etag(c, str_trim(line));
	}
	return size * n;
}

/* ---- the request ---- */

/* curl's own would be read from files, which the jail has not; and the call's authorities are the site's. */
static CURLcode on_tls(CURL *easy, void *ctx, void *context)
{
	struct call *c = context;

	(void)easy;
	SSL_CTX_set1_cert_store(ctx, c->site->trusted);
	return CURLE_OK;
}

static void set_tls(struct call *c)
{
	curl_easy_setopt(c->easy, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(c->easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c->easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	curl_easy_setopt(c->easy, CURLOPT_SSL_CTX_DATA, c);
	/* What it keeps is the store of whichever site came first, and it takes that in the place of on_tls()'s. */
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(c->easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
	if (c->site->is_apart) {
		curl_easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, 1L);
		curl_easy_setopt(c->easy, CURLOPT_FORBID_REUSE, 1L);
		curl_easy_setopt(c->easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	}
}

/* As little of HTTP as serves. */
static void set_http(struct call *c)
{
	curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(c->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c->easy, CURLOPT_USERAGENT, "Gatepost/" GATEPOST_VERSION);
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->header);
	curl_easy_setopt(c->easy, CURLOPT_MAXAGE_CONN, (long)c->site->idle_s);
	if (!c->is_post)
		return;
	curl_easy_setopt(c->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE, (long)c->body.n);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->body.n ? c->body.p : "");
}

/* From here on nothing of it is done before the loop's next turn. */
static void send_off(struct call *c)
{
	c->easy = curl_easy_init();
	require(c->easy != NULL);
	curl_easy_setopt(c->easy, CURLOPT_PRIVATE, (char *)c);
	curl_easy_setopt(c->easy, CURLOPT_URL, c->url.p);
	curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
	if (c->addresses)
		curl_easy_setopt(c->easy, CURLOPT_RESOLVE, c->addresses);
	set_http(c);
	set_tls(c);
	curl_multi_add_handle(fetchd.multi, c->easy);
}

static void add_address(struct buf *b, const struct sockaddr_storage *addr)
{
	const void *octets = addr->ss_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr
							 : (const void *)&((const struct sockaddr_in *)addr)->sin_addr;
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(addr->ss_family, octets, text, sizeof text))
		buf_addf(b, addr->ss_family == AF_INET6 ? "%s[%s]" : "%s%s", b->p[b->n - 1] == ':' ? "" : ",", text);
}

/* libcurl is told the addresses, and so never looks for them itself. */
static void on_addresses(struct dns_query *q)
{
	struct call *c = container_of(q, struct call, dns);
	const struct fetch_url *u = &c->site->parsed;
	struct buf b = BUF_INIT(8192);

	c->is_asking = false;
	if (q->status != DNS_OK) {
		fail(c, q->why && *q->why ? q->why : "its name is not found");
		return;
	}
	buf_addf(&b, "%.*s:%u:", STR_ARG(u->host), (unsigned)u->port);
	for (size_t i = 0; i < q->n_addr; i++)
		add_address(&b, &q->addr[i].addr);
	c->addresses = curl_slist_append(NULL, b.p);
	buf_free(&b);
	send_off(c);
}

static void take_header(struct call *c, struct str lines)
{
	struct str line;

	while (str_word(&lines, "\n", &line)) {
		char *text = xstrndup(line);

		c->header = curl_slist_append(c->header, text);
		mem_wipe(text, line.n);
		free(text);
	}
	c->header = curl_slist_append(c->header, "Expect:"); /* one round trip less */
}

void call_begin(struct peer *p, uint32_t id, struct site *s, const struct fetch_ask *ask)
{
	struct call *c = xcalloc(1, sizeof *c);

	c->peer = p;
	c->id = id;
	c->site = s;
	c->is_post = ask->is_post;
	c->max_age_s = FETCH_NO_AGE;
	c->url = BUF_SECRET(FETCH_URL_MAX + FETCH_REQUEST_MAX);
	c->body = BUF_SECRET(FETCH_REQUEST_MAX);
	c->answer = BUF_SECRET(FETCH_BODY_MAX);
	buf_add_c(&c->url, s->url);
	buf_add_str(&c->url, ask->suffix);
	buf_add_str(&c->body, ask->body);
	take_header(c, ask->header);
	c->next = fetchd.calls;
	if (c->next)
		c->next->prev = c;
	fetchd.calls = c;
	fetchd.n_calls++;
	uv_timer_init(fetchd.child.loop, &c->timer);
	uv_timer_start(&c->timer, on_timeout, ask->timeout_ms, 0);
	if (s->parsed.is_address) {
		send_off(c);
		return;
	}
	c->is_asking = true;
	c->dns.on_answer = on_addresses;
	dns_ask_addr(fetchd.dns, &c->dns, s->parsed.host, true, true);
}
