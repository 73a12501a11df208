#include "master/master.h"
#include "base/log.h"
#include "map/mem_map.h"
#include "tls/held.h"
#include "tls/tls.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Certificates are renewed while we run (smtpd is in its jail and cannot see it). When their files have changed, have
 * settled, and belong together, keyd, smtpd and relay are replaced as by a reload: who is connected stays with the old
 * processes, who comes gets the new certificate.
 */
enum {
	LOOK_MS = 1000,
	LOOK_PART = 20, /* of the time goes into looking, at most */
	NAME_LOOKS = 10 /* so long those of before stay for one name of tls_server_sni_maps: it may be half renewed */
};

static struct certs *noting;
static struct mem_map *noted;

static void note(const char *path)
{
	struct certs *c = noting;

	if (!mem_map_add(noted, str_c(path), STR("")))
		return;
	c->path = xrealloc(c->path, (c->n + 1) * sizeof *c->path);
	c->path[c->n++] = xstrdup(path);
}

void certs_free(struct certs *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->path[i]);
	free(c->path);
	free(c->faults);
	store_release(&c->store);
	memset(c, 0, sizeof *c);
}

static void mix(uint64_t *state, uint64_t value)
{
	*state = (*state ^ value) * 0x9E3779B97F4A7C15u;
	*state ^= *state >> 29;
}

/* A file that is a link counts as what it leads to: renewal often moves the link. Never 0. */
static uint64_t state_of(const struct certs *c)
{
	uint64_t state = 1;
	struct stat st;

	for (size_t i = 0; i < c->n; i++) {
		if (stat(c->path[i], &st) != 0)
			memset(&st, 0, sizeof st);
		mix(&state, st.st_dev);
		mix(&state, st.st_ino);
		mix(&state, (uint64_t)st.st_size);
		mix(&state, (uint64_t)st.st_mtim.tv_sec);
		mix(&state, (uint64_t)st.st_mtim.tv_nsec);
	}
	return state | 1;
}

static void add_fault(struct buf *faults, const struct conf_service *s, struct buf *error)
{
	struct str rest = buf_str(error), line;

	while (str_word(&rest, "\n", &line))
		buf_addf(faults, "service %s: %.*s\n", s->name, STR_ARG(line));
	buf_free(error);
}

static struct tls_ctx *load_service(const struct conf_service *s, struct buf *faults)
{
	struct buf error = BUF_INIT(65536);
	struct tls_ctx *ctx = NULL;

	if (strcmp(s->type, "inet") == 0 && strcmp(s->command, "smtpd") == 0 && tls_server_is_wanted(s->view))
		ctx = tls_server_ctx(s->view, s->name, &error);
	else if (strcmp(s->type, "unix") == 0 && strcmp(s->command, "smtp") == 0)
		ctx = tls_client_ctx(s->view, &error);
	add_fault(faults, s, &error);
	return ctx;
}

/* One name that cannot be served is no reason to keep the old certificates of all. */
static unsigned count_faults(const char *faults)
{
	struct str rest = str_c(faults), line;
	unsigned n = 0;

	while (str_word(&rest, "\n", &line))
		n += !tls_is_about_name(line);
	return n;
}

int certs_load(struct certs *c, const struct conf *conf, const struct certs *before, struct buf *faults)
{
	const struct conf_service *row;
	size_t n = conf_services(conf, &row), at = faults->n;
	struct tls_ctx **ctx = xcalloc(n + 1, sizeof *ctx);
	bool for_keyd = conf_bool(conf_main(conf), "smtpd_tls_key_process");

	memset(c, 0, sizeof *c);
	noting = c;
	noted = mem_map_new();
	tls_watch_files(note);
	if (for_keyd)
		tls_record_begin(TLS_RECORD_MAX, before && before->store ? &before->store->record : NULL);
	/* All at the same time: those with the same tables share them. */
	for (size_t i = 0; i < n; i++)
		ctx[i] = load_service(&row[i], faults);
	for (size_t i = 0; i < n; i++)
		tls_ctx_free(&ctx[i]);
	tls_watch_files(NULL);
	mem_map_free(&noted);
	if (for_keyd)
		c->store = store_end_record(faults);
	free(ctx);
	c->faults = xstrndup(str_from(buf_str(faults), at));
	c->n_faults = count_faults(c->faults);
	c->state = state_of(c);
	return for_keyd && c->store == NULL ? -1 : 0;
}

static void replace(struct master *m, struct certs *fresh)
{
	certs_free(&m->certs);
	m->certs = *fresh;
	m->certs_refused = 0;
	m->certs_looks = 0;
	log_info("certificates have changed: new sessions get the new ones");
	procs_replace(m, ROLE_KEYD);
	procs_replace(m, ROLE_SMTPD);
	procs_replace(m, ROLE_RELAY);
	procs_fill(m);
}

/* The first fault that was not there before, those of single names last. False: there is none. */
static bool new_fault(const struct certs *old, const struct certs *fresh, struct str *line)
{
	struct str rest = str_c(fresh->faults), at, name = { NULL, 0 };

	while (str_word(&rest, "\n", &at)) {
		*line = at;
		if (memmem(old->faults, strlen(old->faults), at.p, at.n) != NULL)
			continue;
		if (!tls_is_about_name(at))
			return true;
		name = name.p ? name : at;
	}
	*line = name;
	return name.p != NULL;
}

static void refuse(struct master *m, uint64_t state, struct str line)
{
	m->certs_refused = state;
	m->certs_looks = tls_is_about_name(line) ? NAME_LOOKS : 0;
	log_warn("certificates have changed and cannot be used; going on with those of before: %.*s", STR_ARG(line));
}

static void try_new(struct master *m, uint64_t state, bool without_names)
{
	struct buf faults = BUF_INIT(65536);
	struct certs fresh;
	struct str fault = STR("");
	bool good;

	good = certs_load(&fresh, m->setup.conf, &m->certs, &faults) == 0;
	/* A service that never had a certificate is no reason to keep the old ones of the others. */
	if (good && (!new_fault(&m->certs, &fresh, &fault) || (without_names && tls_is_about_name(fault)))) {
		replace(m, &fresh);
	} else {
		refuse(m, state, fault);
		certs_free(&fresh);
	}
	buf_free(&faults);
}

static void on_look(uv_timer_t *timer)
{
	struct master *m = container_of(timer, struct master, certs_timer);
	uint64_t begin = uv_hrtime(), state = state_of(&m->certs), took = uv_hrtime() - begin, seen = m->certs_seen;

	m->certs_seen = state;
	uv_timer_set_repeat(timer, LOOK_MS + took * LOOK_PART / 1000000);
	if (state == m->certs.state)
		m->certs_refused = 0;
	else if (m->stopping || state != seen)
		return;
	else if (state != m->certs_refused)
		try_new(m, state, false);
	else if (m->certs_looks > 0 && --m->certs_looks == 0)
		try_new(m, state, true);
}

void certs_watch(struct master *m)
{
	uv_timer_init(m->loop, &m->certs_timer);
	uv_timer_start(&m->certs_timer, on_look, LOOK_MS, LOOK_MS);
	uv_unref((uv_handle_t *)&m->certs_timer);
}
