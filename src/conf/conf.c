/* conf.c - loading, and the getters. */
#include "conf/conf_impl.h"
#include "conf/edit.h"
#include "base/log.h"
#include "base/utf8.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void report(const struct conf *c, struct buf *to, const char *file, unsigned line, const char *fmt, va_list ap)
{
	struct buf text = BUF_INIT(1024 * 1024);

	if (!to)
		return;
	if (line)
		buf_addf(to, "%s/%s, line %u: ", c->dir, file, line);
	else
		buf_addf(to, "%s/%s: ", c->dir, file);
	buf_vaddf(&text, fmt, ap);
	utf8_add_visible(to, buf_str(&text)); /* one message is one line, whatever the files hold */
	buf_add_char(to, '\n');
	buf_free(&text);
}

void conf_error(struct conf *c, const char *file, unsigned line, const char *fmt, ...)
{
	va_list ap;

	c->failed = true;
	va_start(ap, fmt);
	report(c, c->errors, file, line, fmt, ap);
	va_end(ap);
}

void conf_warning(struct conf *c, const char *file, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(c, c->warnings, file, line, fmt, ap);
	va_end(ap);
}

static struct conf *conf_new(const char *dir, struct buf *errors, struct buf *warnings)
{
	struct arena *mem = arena_new(64 * 1024);
	struct conf *c = arena_alloc(mem, sizeof(*c));
	struct dict *own = arena_alloc(mem, sizeof(*own)), *cache = arena_alloc(mem, sizeof(*cache));

	own->mem = cache->mem = mem;
	*c = (struct conf){ .mem = mem, .errors = errors, .warnings = warnings };
	c->dir = arena_cdup(mem, str_c(dir));
	c->main.mem = c->computed.mem = mem;
	c->main_view = (struct conf_view){ c, own, cache, NULL, NULL };
	return c;
}

/* The text of DIR/FILE; an empty one and false when it cannot be read. */
static bool load_file(struct conf *c, const char *file, struct buf *text)
{
	const char *path = arena_printf(c->mem, "%s/%s", c->dir, file);

	*text = BUF_INIT(64 * 1024 * 1024);
	return edit_read_file(path, text) == 0;
}

static void apply_overrides(struct conf *c, const char *const *overrides)
{
	struct str name, value;

	for (; overrides && *overrides; overrides++)
		if (!split_name_value(str_c(*overrides), &name, &value))
			dict_set(&c->main, arena_dup(c->mem, name), arena_dup(c->mem, value), 0);
}

static void parse_both(struct conf *c, struct str main_cf, struct str master_cf, const char *const *overrides)
{
	main_cf_parse(c, main_cf);
	apply_overrides(c, overrides);
	conf_compute(c);
	master_cf_parse(c, master_cf);
	master_cf_resolve(c);
	c->errors = c->warnings = NULL;
}

struct conf *conf_read(const char *dir, const char *const *overrides, struct buf *errors, struct buf *warnings)
{
	struct conf *c = conf_new(dir, errors, warnings);
	struct buf main_cf, master_cf;

	if (!load_file(c, "main.cf", &main_cf))
		conf_error(c, "main.cf", 0, "cannot be read: %s", strerror(errno));
	c->has_master = load_file(c, "master.cf", &master_cf);
	parse_both(c, buf_str(&main_cf), buf_str(&master_cf), overrides);
	buf_free(&main_cf);
	buf_free(&master_cf);
	return c;
}

/* `gatepost init DIR` makes DIR/etc, and it is DIR that one remembers. */
static const char *perhaps_below(const struct conf *c)
{
	int error = errno;
	const char *below = arena_printf(c->mem, "%s/etc", c->dir);
	bool is_there = error == ENOENT && access(arena_printf(c->mem, "%s/main.cf", below), F_OK) == 0;

	errno = error;
	if (is_there)
		return arena_printf(c->mem, "; there is one in %s", below);
	return error == ENOENT && strcmp(c->dir, "/etc/gatepost") == 0
		       ? "; name its folder with -c or MAIL_CONFIG, or link it to /etc/gatepost"
		       : "";
}

/* Check everything; frees and returns NULL when something is wrong. */
static struct conf *finish(struct conf *c, struct buf *errors, struct buf *warnings)
{
	c->errors = errors;
	c->warnings = warnings;
	conf_check(c);
	c->errors = c->warnings = NULL;
	if (c->failed)
		conf_free(&c);
	return c;
}

struct conf *conf_load(const char *dir, struct buf *errors, struct buf *warnings)
{
	struct conf *c = conf_new(dir, errors, warnings);
	struct buf main_cf, master_cf;

	if (!load_file(c, "main.cf", &main_cf))
		conf_error(c, "main.cf", 0, "cannot be read: %s%s", strerror(errno), perhaps_below(c));
	if (!load_file(c, "master.cf", &master_cf))
		conf_error(c, "master.cf", 0, "cannot be read: %s", strerror(errno));
	c->has_master = true;
	parse_both(c, buf_str(&main_cf), buf_str(&master_cf), NULL);
	buf_free(&main_cf);
	buf_free(&master_cf);
	return finish(c, errors, warnings);
}

/* main.cf with its faults passed over. Not the one parameter that says whom the program will ask, or whose mail delete. */
static void parse_forgiving(struct conf *c, struct str main_cf, struct buf *errors, struct buf *faults)
{
	struct buf said = BUF_INIT(1024 * 1024), *to = faults;

	c->errors = &said;
	main_cf_parse(c, main_cf);
	conf_compute(c);
	conf_forgive(c);
	if (c->failed && !conf_stands_alone(c, STR("queue_directory"))) {
		conf_error(c, "main.cf", 0,
			"with this fault it is not known which instance is meant (queue_directory); mend it, and try "
			"again");
		to = errors;
	} else {
		c->failed = false;
	}
	c->errors = errors;
	if (to)
		buf_add_str(to, buf_str(&said));
	buf_free(&said);
}

struct conf *conf_load_main(const char *dir, struct buf *errors, struct buf *faults)
{
	struct conf *c = conf_new(dir, errors, NULL);
	struct buf main_cf;

	if (!load_file(c, "main.cf", &main_cf))
		conf_error(c, "main.cf", 0, "cannot be read: %s%s", strerror(errno), perhaps_below(c));
	else
		parse_forgiving(c, buf_str(&main_cf), errors, faults);
	buf_free(&main_cf);
	if (c->failed)
		conf_free(&c);
	return c ? finish(c, errors, NULL) : NULL;
}

struct conf *conf_parse(
	const char *dir, struct str main_cf, struct str master_cf, struct buf *errors, struct buf *warnings)
{
	struct conf *c = conf_new(dir, errors, warnings);

	c->has_master = true;
	parse_both(c, main_cf, master_cf, NULL);
	return finish(c, errors, warnings);
}

void conf_free(struct conf **c)
{
	struct arena *mem = *c ? (*c)->mem : NULL;

	*c = NULL;
	arena_free(&mem);
}

const char *conf_dir(const struct conf *c)
{
	return c->dir;
}

const struct conf_view *conf_main(const struct conf *c)
{
	return &c->main_view;
}

size_t conf_services(const struct conf *c, const struct conf_service **first)
{
	*first = c->services;
	return c->n_rows;
}

const struct conf_service *conf_service_find(const struct conf *c, struct str name, const char *type)
{
	for (size_t i = 0; i < c->n_rows; i++)
		if (str_eq(name, str_c(c->services[i].name)) && strcmp(c->services[i].type, type) == 0)
			return &c->services[i];
	return NULL;
}

struct str conf_transport_command(const struct conf *c, struct str transport)
{
	const struct conf_service *row = conf_service_find(c, transport, "unix");

	return row ? str_c(row->command) : transport;
}

static const struct param *known(struct str name)
{
	size_t n;
	const struct param *p = param_find(name);

	return p ? p : param_of_service(name, &n);
}

/* The default of SERVICE_suffix: "$default_suffix". */
static bool service_initial(const struct conf_view *v, struct str name, struct str *raw)
{
	size_t n;
	const struct param *p = param_of_service(name, &n);

	if (p)
		*raw = str_c(arena_printf(v->conf->mem, "$%s", p->name));
	return p != NULL;
}

bool view_raw(const struct conf_view *v, struct str name, struct str *raw)
{
	const struct dict_entry *e = dict_find(v->own, name);
	const struct param *p;

	*raw = STR("");
	e = e ? e : dict_find(&v->conf->main, name);
	if (!e && v->service_name && str_eq(name, STR("service_name"))) {
		*raw = str_c(v->service_name);
		return true;
	}
	if (!e && v->process_name && str_eq(name, STR("process_name"))) {
		*raw = str_c(v->process_name);
		return true;
	}
	e = e ? e : dict_find(&v->conf->computed, name);
	if (e) {
		*raw = e->value;
		return true;
	}
	p = param_find(name);
	if (!p)
		return service_initial(v, name, raw);
	*raw = str_c(p->initial);
	return true;
}

bool param_is_raw(struct str name)
{
	const struct param *p = param_find(name);

	return p && p->type == PARAM_RAW;
}

/* Expand and keep. NULL: there is no such name, or its expression is wrong (conf_check has said so). */
static const char *lookup(const struct conf_view *v, struct str name)
{
	const struct dict_entry *e = dict_find(v->cache, name);
	struct buf out = BUF_INIT(1024 * 1024);
	const struct param *p = known(name);
	struct str raw, value;

	if (e)
		return e->value.p;
	if (!view_raw(v, name, &raw))
		return NULL;
	if (p && p->type == PARAM_RAW)
		buf_add_str(&out, raw);
	else if (expand(v, raw, &out, NULL)) {
		buf_free(&out);
		return NULL;
	}
	for (size_t i = 0; p && p->type == PARAM_ENUM && i < out.n; i++)
		out.p[i] = ascii_lower(out.p[i]);
	value = arena_dup(v->conf->mem, buf_str(&out));
	buf_free(&out);
	dict_set(v->cache, arena_dup(v->conf->mem, name), value, 0);
	return value.p;
}

const char *conf_lookup(const struct conf_view *v, const char *name)
{
	return lookup(v, str_c(name));
}

static const char *typed(const struct conf_view *v, const char *name, const struct param **p)
{
	const char *value;

	*p = known(str_c(name));
	if (!*p)
		panic("parameter %s is not in the table", name);
	value = lookup(v, str_c(name));
	if (!value)
		panic("parameter %s was not checked", name);
	return value;
}

const char *conf_str(const struct conf_view *v, const char *name)
{
	const struct param *p;

	return typed(v, name, &p);
}

bool conf_bool(const struct conf_view *v, const char *name)
{
	const struct param *p;
	const char *value = typed(v, name, &p);
	bool is;

	require(p->type == PARAM_BOOL);
	require(value_bool(str_c(value), &is));
	return is;
}

int64_t conf_int(const struct conf_view *v, const char *name)
{
	const struct param *p;
	const char *value = typed(v, name, &p);
	int64_t n;

	if ((p->type != PARAM_INT && p->type != PARAM_OCTETS) || !value_int(str_c(value), &n))
		panic("parameter %s is no number", name);
	return n;
}

int64_t conf_seconds(const struct conf_view *v, const char *name)
{
	const struct param *p;
	const char *value = typed(v, name, &p);
	int64_t n;

	if (p->type != PARAM_TIME || !value_time(str_c(value), p->unit, &n))
		panic("parameter %s is no time", name);
	return n;
}

bool conf_is_set(const struct conf_view *v, const char *name)
{
	return dict_find(v->own, str_c(name)) || dict_find(&v->conf->main, str_c(name));
}

#define LIST_SEPARATORS ", \t\r\n"

size_t conf_words(struct str text, struct arena *mem, struct str **words)
{
	struct str rest = text, word;
	size_t n = 0;

	while (cut_word(&rest, LIST_SEPARATORS, &word))
		n++;
	*words = arena_array(mem, n ? n : 1, sizeof(**words));
	rest = text;
	for (size_t i = 0; i < n; i++) {
		cut_word(&rest, LIST_SEPARATORS, &word);
		if (word.n > 1 && word.p[0] == '{' && word.p[word.n - 1] == '}')
			word = str_trim(str_sub(word, 1, word.n - 2));
		(*words)[i] = word;
	}
	return n;
}

size_t conf_list(const struct conf_view *v, const char *name, struct arena *mem, struct str **words)
{
	return conf_words(str_c(conf_str(v, name)), mem, words);
}
