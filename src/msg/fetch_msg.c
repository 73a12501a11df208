#include "msg/fetch_msg.h"

static int get_bool(struct ipc_in *in, bool *out)
{
	uint8_t v = ipc_get_u8(in);

	*out = v == 1;
	return v > 1 ? -1 : 0;
}

void fetch_setup_encode(struct buf *out, const struct fetch_setup *s)
{
	ipc_put_u32(out, (uint32_t)s->n);
	for (size_t i = 0; i < s->n; i++) {
		ipc_put_str(out, s->site[i].url);
		ipc_put_u8(out, s->site[i].has_authorities);
		ipc_put_u32(out, s->site[i].idle_s);
		ipc_put_u8(out, s->site[i].loss);
	}
}

int fetch_setup_decode(struct ipc_in *in, struct fetch_setup *s)
{
	uint32_t n = ipc_get_u32(in);
	struct fetch_url url;
	const char *why;

	*s = (struct fetch_setup){ 0 };
	if (n > FETCH_SITES_MAX)
		return -1;
	for (; s->n < n; s->n++) {
		struct fetch_setup_site *site = &s->site[s->n];

		site->url = ipc_get_str(in);
		if (get_bool(in, &site->has_authorities) < 0 || fetch_url_parse(site->url, &url, &why) < 0)
			return -1;
		site->idle_s = ipc_get_u32(in);
		site->loss = ipc_get_u8(in);
		if (site->loss >= FETCH_LOSSES)
			return -1;
	}
	return ipc_get_end(in) ? 0 : -1;
}

void fetch_ask_encode(struct buf *out, const struct fetch_ask *a)
{
	ipc_put_u8(out, a->is_post);
	ipc_put_u32(out, a->timeout_ms);
	ipc_put_str(out, a->suffix);
	ipc_put_str(out, a->header);
	ipc_put_str(out, a->body);
}

/* It stays in the site's URL, whatever it holds. */
static bool is_suffix(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_graph(s.p[i]) || s.p[i] == '#')
			return false;
	return true;
}

/* RFC 9110 sec. 5: lines of "Name: value" and no way to begin another message. */
static bool is_header(struct str s)
{
	struct str line;

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' ? s.p[i] != '\n' && s.p[i] != '\t' : s.p[i] == 0x7f)
			return false;
	if (s.n && s.p[s.n - 1] != '\n')
		return false;
	for (struct str rest = str_sub(s, 0, s.n ? s.n - 1 : 0); s.n && str_field(&rest, "\n", &line);) {
		ptrdiff_t colon = str_chr(line, ':');

		if (colon < 1)
			return false;
		for (ptrdiff_t i = 0; i < colon; i++)
			if (!ascii_is_alnum(line.p[i]) && line.p[i] != '-' && line.p[i] != '_')
				return false;
	}
	return true;
}

int fetch_ask_decode(struct ipc_in *in, struct fetch_ask *a)
{
	int r = get_bool(in, &a->is_post);

	a->timeout_ms = ipc_get_u32(in);
	a->suffix = ipc_get_str(in);
	a->header = ipc_get_str(in);
	a->body = ipc_get_str(in);
	if (r < 0 || !ipc_get_end(in) || a->timeout_ms == 0 || a->timeout_ms > FETCH_TIMEOUT_MAX_MS)
		return -1;
	if (a->suffix.n + a->header.n + a->body.n > FETCH_REQUEST_MAX || (a->body.n && !a->is_post))
		return -1;
	return is_suffix(a->suffix) && is_header(a->header) ? 0 : -1;
}

void fetch_answer_encode(struct buf *out, const struct fetch_answer *a)
{
	ipc_put_str(out, a->why);
	ipc_put_u32(out, a->status);
	ipc_put_u32(out, a->max_age_s);
	ipc_put_str(out, a->etag);
	ipc_put_str(out, a->body);
}

/* What fetchd says is foreign: it has read what a stranger wrote. */
int fetch_answer_decode(struct ipc_in *in, struct fetch_answer *a)
{
	a->why = ipc_get_str(in);
	a->status = ipc_get_u32(in);
	a->max_age_s = ipc_get_u32(in);
	a->etag = ipc_get_str(in);
	a->body = ipc_get_str(in);
	if (!ipc_get_end(in) || a->etag.n > FETCH_ETAG_MAX || a->body.n > FETCH_BODY_MAX)
		return -1;
	for (size_t i = 0; i < a->etag.n; i++)
		if (!ascii_is_graph(a->etag.p[i]))
			return -1;
	return a->why.n ? 0 : a->status >= 100 && a->status <= 599 ? 0 : -1;
}
