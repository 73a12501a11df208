#include "deliver/mailbox.h"
#include "deliver/content.h"
#include "deliver/open_dir.h"
#include "deliver/path.h"
#include "mime/dsn_text.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void mailbox_set(struct mailbox_result *r, enum rcpt_status status, const char *dsn, const char *fmt, ...)
{
	va_list ap;

	memset(r, 0, sizeof *r);
	r->status = status;
	snprintf(r->dsn, sizeof r->dsn, "%s", dsn);
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof r->text, fmt, ap);
	va_end(ap);
}

void mailbox_sent(struct mailbox_result *r, const char *text)
{
	mailbox_set(r, RCPT_SENT, "2.0.0", "%s", text);
}

void mailbox_failed(const struct mailbox *m, struct mailbox_result *r, int err, const char *doing, const char *what)
{
	const char *dsn = "4.2.0";
	char advice[256] = "";
	unsigned long uid = (unsigned long)geteuid(), gid = (unsigned long)getegid();

	if (err == ENOMSG) { /* content_begin() */
		mailbox_set(r, RCPT_BOUNCED, "5.6.3",
			"binary content cannot be kept in this mailbox: a part of it must not be converted");
		return;
	}
	if (err == EACCES || err == EPERM || err == EROFS) {
		snprintf(advice, sizeof advice,
			"; uid %lu, gid %lu must be able to write there: look at the owner and mode of %s and of "
			"what is below it",
			uid, gid, m->base_name);
	} else if (err == ENOSPC) {
		dsn = "4.3.1"; /* RFC 3463 sec. 3.4: mail system full */
	} else if (err == EDQUOT) {
		dsn = "4.2.2"; /* sec. 3.3: mailbox full */
		snprintf(advice, sizeof advice, " for uid %lu", uid);
	} else if (err == ELOOP || err == ENOTDIR) {
		dsn = "4.3.5";
		snprintf(advice, sizeof advice, "; a symbolic link below %s is not followed", m->base_name);
	} else if (err == ENOENT) {
		dsn = "4.3.5";
		snprintf(advice, sizeof advice, "; make that directory and give it to uid %lu", uid);
	}
	mailbox_set(r, RCPT_DEFERRED, dsn, "cannot %s %s: %s%s", doing, what, strerror(err), advice);
}

int write_all(int fd, const void *p, size_t n)
{
	const char *from = p;

	while (n > 0) {
		ssize_t done = write(fd, from, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			errno = done == 0 ? EIO : errno;
			return -1;
		}
		from += done;
		n -= (size_t)done;
	}
	return 0;
}

void mailbox_put_header(const struct mailbox *m, struct buf *out)
{
	/* RFC 5321 sec. 4.4: final delivery records the reverse-path. */
	buf_add_c(out, "Return-Path: <");
	dsn_clean(out, m->env->sender, true);
	buf_add_c(out, ">\nX-Original-To: ");
	dsn_clean(out, m->original.n > 0 ? m->original : m->recipient, true);
	buf_add_c(out, "\nDelivered-To: ");
	dsn_clean(out, m->recipient, true);
	buf_add_char(out, '\n');
}

/* For good: no way back to root. */
static int take_ids(const struct mailbox *m, struct mailbox_result *r)
{
	gid_t groups[] = { m->gid, m->extra_gid };

	if (!m->take_ids)
		return 0;
	if (setgroups(2, groups) == 0 && setresgid(m->gid, m->gid, m->gid) == 0 &&
		setresuid(m->uid, m->uid, m->uid) == 0 && (m->uid == 0 || setuid(0) != 0))
		return 0;
	mailbox_set(r, RCPT_DEFERRED, "4.3.5", "cannot become uid %lu, gid %lu: %s", (unsigned long)m->uid,
		(unsigned long)m->gid, strerror(errno));
	return -1;
}

/* True when it may be delivered. */
static bool check_loop(const struct mailbox *m, struct mailbox_result *r)
{
	int seen = content_was_delivered_to(m->segments, m->env, m->recipient);

	if (seen < 0)
		mailbox_set(r, RCPT_DEFERRED, "4.3.0", "cannot read the message from the queue: %s", strerror(-seen));
	else if (seen > 0)
		mailbox_set(r, RCPT_BOUNCED, "5.4.6", "mail forwarding loop for %.*s", STR_ARG(m->recipient));
	return seen == 0;
}

static void write_below(const struct mailbox *m, int base, struct mailbox_result *r)
{
	struct open_dir d;
	char name[PATH_PART_MAX + 1] = "";
	bool is_maildir = path_is_maildir(m->path);

	if (open_dir(&d, base, m->base, m->path, is_maildir ? NULL : name) != 0) {
		mailbox_failed(m, r, d.error, d.making ? "create directory" : "open directory", d.where);
		return;
	}
	if (is_maildir)
		maildir_write(m, d.fd, r);
	else
		mbox_write(m, d.fd, name, r);
	close(d.fd);
}

void mailbox_deliver(const struct mailbox *m, struct mailbox_result *r)
{
	const char *fault = path_fault(m->path);
	int base;

	umask(077);
	if (fault) {
		mailbox_set(r, RCPT_DEFERRED, "4.3.5", "mailbox path \"%.*s\" %s", STR_ARG(m->path), fault);
		return;
	}
	/* With master's rights: the recipient need not be able to enter the directories above it. */
	base = open(m->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (take_ids(m, r) == 0 && check_loop(m, r))
		write_below(m, base, r);
	if (base >= 0)
		close(base);
}
