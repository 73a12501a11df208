/* `gatepost user add` for a domain that is not ours yet: make it ours, so that the new user can get mail. */
#include "base/arena.h"
#include "conf/edit.h"
#include "ctl/gatepost.h"

#include <errno.h>
#include <stdio.h>

/* Is the domain in one of the lists of our domains, or decided by a table there? */
static bool is_ours(const struct conf *conf, struct str domain)
{
	static const char *const lists[] = { "virtual_mailbox_domains", "mydestination", "virtual_alias_domains" };
	struct arena *mem = arena_new(0);
	bool found = false;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		struct str *words;
		size_t n = conf_list(conf_main(conf), lists[i], mem, &words);

		for (size_t k = 0; k < n; k++)
			found = found || str_ieq(words[k], domain) ||
				(i == 0 && (str_chr(words[k], ':') >= 0 || words[k].p[0] == '/'));
	}
	arena_free(&mem);
	return found;
}

static int write_domains(const char *path, struct str value)
{
	struct buf text = BUF_INIT(1 << 22), changed = BUF_INIT(1 << 22);
	struct edit edit = { .name = STR("virtual_mailbox_domains"), .value = value };
	struct edit_file file = { 0 };
	int r = edit_begin(path, &file);

	if (r == 0)
		r = edit_read_file(path, &text);
	if (r == 0)
		r = edit_main_cf(buf_str(&text), EDIT_SET, &edit, 1, &changed);
	if (r == 0)
		r = edit_commit(&file, buf_str(&changed));
	if (r != 0)
		fprintf(stderr, "gatepost: %s: %s; add the domain to virtual_mailbox_domains by hand\n", path,
			strerror(errno));
	edit_cancel(&file);
	buf_free(&text);
	buf_free(&changed);
	return r;
}

int ctl_add_domain(const struct conf *conf, struct str user)
{
	struct buf value = BUF_INIT(1 << 20), answer = BUF_INIT(1 << 20);
	ptrdiff_t at = str_rchr(user, '@');
	struct str domain = str_from(user, (size_t)(at + 1));
	const char *before = conf_str(conf_main(conf), "virtual_mailbox_domains");
	char path[4096];
	int r;

	if (at < 0 || domain.n == 0 || is_ours(conf, domain))
		return 0;
	snprintf(path, sizeof path, "%s/main.cf", conf_dir(conf));
	buf_addf(&value, "%s%s%.*s", before, before[0] ? ", " : "", STR_ARG(domain));
	r = write_domains(path, buf_str(&value));
	if (r == 0) {
		printf("%.*s is a domain of this server now (virtual_mailbox_domains in %s)\n", STR_ARG(domain), path);
		ctl_ask_master(conf, "reload", &answer); /* not running: the next start takes it up */
	}
	buf_free(&value);
	buf_free(&answer);
	return r == 0 ? 0 : 1;
}
