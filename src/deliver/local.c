/* local.c - service local: the mailbox of a user of this system (local(8)); aliases were expanded before. */
#include "deliver/deliver.h"
#include "deliver/names.h"
#include "deliver/path.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The user that the address names: the whole local part, else that without its extension. As names_find(). */
static int find_user(struct rcpt_run *q, struct account *a, char **name)
{
	struct run *r = q->run;
	struct str address = q->rcpt->address;
	ptrdiff_t at = str_rchr(address, '@');
	struct str local = at < 0 ? address : str_sub(address, 0, (size_t)at);
	struct str cut = path_cut_extension(local, str_c(conf_str(r->view, "recipient_delimiter")));
	int found;

	*name = arena_cdup(r->mem, local);
	for (char *c = *name; *c != '\0'; c++)
		*c = ascii_lower(*c);
	found = names_find(*name, r->mem, a);
	if (found != 0 || cut.n == local.n)
		return found;
	(*name)[cut.n] = '\0';
	return names_find(*name, r->mem, a);
}

/* home_mailbox below the home directory, or a file in mail_spool_directory. */
static bool choose_mailbox(struct rcpt_run *q, const struct account *a)
{
	struct run *r = q->run;
	struct mailbox *m = &q->worker.mailbox;
	const char *home_mailbox = conf_str(r->view, "home_mailbox");
	struct stat st;

	m->uid = a->uid;
	m->gid = m->extra_gid = a->gid;
	if (*home_mailbox != '\0') {
		m->base = arena_cdup(r->mem, str_c(a->home));
		m->base_name = "the home directory";
		m->path = str_c(home_mailbox);
		if (*m->base == '/')
			return true;
		rcpt_fail(q, RCPT_DEFERRED, "4.3.5", "user %s has no home directory", a->name);
		return false;
	}
	m->base = conf_str(r->view, "mail_spool_directory");
	m->base_name = "mail_spool_directory";
	m->path = arena_dup(r->mem, str_c(a->name));
	/* Its group may make files there ("drwxrwsr-x root mail"). */
	if (stat(m->base, &st) == 0 && st.st_gid != 0)
		m->extra_gid = st.st_gid;
	return true;
}

void local_begin(struct rcpt_run *q)
{
	const struct conf_view *v = q->run->view;
	struct mailbox *m = &q->worker.mailbox;
	const char *locks = conf_str(v, "mailbox_delivery_lock");
	char *name;
	struct account a;
	int found = find_user(q, &a, &name);

	if (found < 0) {
		rcpt_fail(q, RCPT_DEFERRED, "4.3.0", "cannot look up user %s: %s", name, strerror(errno));
		return;
	}
	if (found == 0) {
		rcpt_fail(q, RCPT_BOUNCED, "5.1.1", "unknown user: \"%s\"", name);
		return;
	}
	m->limit = (uint64_t)conf_int(v, "mailbox_size_limit");
	m->limit_name = "mailbox_size_limit";
	m->lock_fcntl = strstr(locks, "fcntl") != NULL;
	m->lock_dot = strstr(locks, "dotlock") != NULL;
	m->lock_flock = strstr(locks, "flock") != NULL;
	if (choose_mailbox(q, &a))
		rcpt_to_mailbox(q);
}
