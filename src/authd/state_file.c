#include "authd/state_file.h"

#include "authd/login.h"
#include "base/crc32c.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum {
	EVERY_MS = 5000,
	TURN_MS = 10, /* while it is put together: so many places a turn, that no login waits */
	TURN_PLACES = 2048,
	RETRY_MS = 500,
	HEAD = 64,
	STATE_MAX = 128 * 1024 * 1024
};

struct output { /* one writing; a thread's, and nothing else is */
	uv_work_t work;
	struct state_file *file;
	int fd;
	struct buf text; /* HEAD octets for the head, and the body */
	int error;
};

struct state_file {
	struct defence *d;
	char path[4000]; /* without the number */
	int fd[2];
	bool is_ours; /* we hold the lock */
	bool has_failed;
	unsigned turn; /* which file is written next */
	uint64_t number;
	uv_timer_t timer;
	bool is_writing; /* in the thread */
	bool is_left;
	struct state_cursor cursor;
	struct output *output; /* that is being put together; NULL: none */
};

/* ---- in ---- */

/* "gatepost-auth-counts 1 NUMBER LENGTH CRC", all hexadecimal, filled up with blanks to a line of HEAD octets. */
static bool read_head(struct str text, struct str *body, uint64_t *number)
{
	unsigned long long n, length;
	unsigned crc;
	char head[HEAD + 1];

	if (text.n < HEAD)
		return false;
	memcpy(head, text.p, HEAD);
	head[HEAD] = '\0';
	if (sscanf(head, "gatepost-auth-counts 1 %16llx %16llx %8x", &n, &length, &crc) != 3)
		return false;
	*body = str_sub(text, HEAD, length);
	*number = n;
	return body->n == length && crc32c(0, body->p, body->n) == crc;
}

int state_file_choose(const struct str text[2], struct str *body, uint64_t *number, bool *damaged)
{
	int best = -1;

	*damaged = false;
	*number = 0;
	for (int i = 0; i < 2; i++) {
		struct str its_body;
		uint64_t its_number;

		if (!read_head(text[i], &its_body, &its_number)) {
			*damaged |= text[i].n > 0;
		} else if (best < 0 || its_number > *number) {
			best = i;
			*body = its_body;
			*number = its_number;
		}
	}
	return best;
}

static void read_all(int fd, struct buf *out)
{
	ssize_t n = 0;
	char *p;

	while ((p = buf_reserve(out, 65536)) != NULL && (n = pread(fd, p, 65536, (off_t)out->n)) > 0)
		buf_commit(out, (size_t)n);
}

static void load(struct state_file *f)
{
	struct buf text[2] = { BUF_INIT(STATE_MAX), BUF_INIT(STATE_MAX) };
	struct str body;
	const char *why = "it is damaged";
	bool damaged;
	int which;

	for (int i = 0; i < 2; i++)
		read_all(f->fd[i], &text[i]);
	which = state_file_choose((struct str[2]){ buf_str(&text[0]), buf_str(&text[1]) }, &body, &f->number, &damaged);
	/* One alone may be what was being written when the process was killed. */
	if (which >= 0)
		f->turn = which == 0;
	if ((which < 0 && damaged) || (which >= 0 && defence_state_read(f->d, body, wall_ms(), &why) < 0))
		log_warn("%s.%d: %s; failed logins are counted anew, and no network of a user is known", f->path,
			which < 0 ? 0 : which, why);
	buf_free(&text[0]);
	buf_free(&text[1]);
}

static bool open_one(struct state_file *f, int i)
{
	char path[sizeof f->path + 8];

	snprintf(path, sizeof path, "%s.%d", f->path, i);
	f->fd[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->fd[i] < 0)
		log_warn("cannot keep %s: %s; failed logins are counted anew after each start", path, strerror(errno));
	return f->fd[i] >= 0;
}

static bool lock(struct state_file *f)
{
	f->is_ours = f->is_ours || flock(f->fd[0], LOCK_EX | LOCK_NB) == 0;
	return f->is_ours;
}

struct state_file *state_file_open(const char *queue_directory, struct defence *d)
{
	struct state_file *f;

	if (!d->set.is_on || !d->set.is_kept)
		return NULL;
	f = xcalloc(1, sizeof *f);
	f->d = d;
	snprintf(f->path, sizeof f->path, "%s/pid/auth.counts", queue_directory);
	if (!open_one(f, 0) || !open_one(f, 1)) {
		free(f);
		return NULL;
	}
	lock(f);
	load(f);
	d->is_changed = false;
	return f;
}

/* ---- out ---- */

static void write_whole(struct output *o)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < o->text.n && (n = pwrite(o->fd, o->text.p + done, o->text.n - done, (off_t)done)) > 0)
		done += (size_t)n;
	if (done < o->text.n || ftruncate(o->fd, (off_t)done) != 0 || fdatasync(o->fd) != 0)
		o->error = errno ? errno : ENOSPC;
}

static struct output *output_new(struct state_file *f)
{
	struct output *o = xcalloc(1, sizeof *o);

	o->file = f;
	o->fd = f->fd[f->turn];
	o->text = BUF_INIT(STATE_MAX);
	memset(buf_reserve(&o->text, HEAD), ' ', HEAD);
	buf_commit(&o->text, HEAD);
	f->cursor = (struct state_cursor){ 0 };
	f->d->is_changed = false;
	return o;
}

static void output_free(struct output *o)
{
	buf_free(&o->text);
	free(o);
}

static bool output_more(struct output *o)
{
	return defence_state_write(o->file->d, &o->file->cursor, TURN_PLACES, wall_ms(), &o->text);
}

static void output_head(struct output *o)
{
	struct str body = str_from(buf_str(&o->text), HEAD);
	char head[HEAD + 1];
	int n = snprintf(head, sizeof head, "gatepost-auth-counts 1 %" PRIx64 " %zx %x", o->file->number + 1, body.n,
		(unsigned)crc32c(0, body.p, body.n));

	memcpy(o->text.p, head, (size_t)n);
	o->text.p[HEAD - 1] = '\n';
}

/* What the writing came to. */
static void settle(struct state_file *f, const struct output *o)
{
	if (o->error && !f->has_failed)
		log_warn("cannot write %s.%u: %s; failed logins are counted anew after a restart", f->path, f->turn,
			strerror(o->error));
	if (o->error == 0 && f->has_failed)
		log_info("%s.%u is written again", f->path, f->turn);
	f->has_failed = o->error != 0;
	f->d->is_changed |= f->has_failed;
	if (o->error)
		return;
	f->number++;
	f->turn = !f->turn;
}

static void on_timer(uv_timer_t *t);

static void in_thread(uv_work_t *w)
{
	write_whole(container_of(w, struct output, work));
}

static void after_thread(uv_work_t *w, int status)
{
	struct output *o = container_of(w, struct output, work);
	struct state_file *f = o->file;

	(void)status;
	f->is_writing = false;
	if (!f->is_left) {
		settle(f, o);
		uv_timer_start(&f->timer, on_timer, EVERY_MS, 0);
	}
	output_free(o);
}

static void put_together(struct state_file *f)
{
	struct output *o = f->output = f->output ? f->output : output_new(f);

	if (!output_more(o)) {
		uv_timer_start(&f->timer, on_timer, TURN_MS, 0);
		return;
	}
	output_head(o);
	f->output = NULL;
	f->is_writing = true;
	uv_queue_work(f->timer.loop, &o->work, in_thread, after_thread);
}

static void on_timer(uv_timer_t *t)
{
	struct state_file *f = container_of(t, struct state_file, timer);
	bool was_ours = f->is_ours;

	if (!lock(f)) {
		uv_timer_start(&f->timer, on_timer, RETRY_MS, 0);
		return;
	}
	if (!was_ours) /* what the process before us counted until it left */
		load(f);
	if (f->output || f->d->is_changed)
		put_together(f);
	else
		uv_timer_start(&f->timer, on_timer, EVERY_MS, 0);
}

void state_file_start(struct state_file *f, uv_loop_t *loop)
{
	if (f == NULL)
		return;
	uv_timer_init(loop, &f->timer);
	uv_timer_start(&f->timer, on_timer, f->is_ours ? EVERY_MS : RETRY_MS, 0);
}

static void on_closed(uv_handle_t *h)
{
	free(container_of((uv_timer_t *)(void *)h, struct state_file, timer));
}

void state_file_free(struct state_file **f)
{
	if (*f == NULL)
		return;
	require((*f)->is_left);
	close((*f)->fd[0]);
	close((*f)->fd[1]);
	uv_close((uv_handle_t *)&(*f)->timer, on_closed);
	*f = NULL;
}

void state_file_leave(struct state_file *f)
{
	struct output *o;

	if (f == NULL || f->is_left)
		return;
	f->is_left = true;
	uv_timer_stop(&f->timer);
	if (!f->is_ours)
		return;
	if (f->is_writing) { /* that goes on beside us; ours is the other file, and the later one */
		f->turn = !f->turn;
		f->number++;
	}
	if (f->output)
		output_free(f->output);
	o = output_new(f);
	while (!output_more(o))
		;
	output_head(o);
	write_whole(o);
	settle(f, o);
	output_free(o);
	flock(f->fd[0], LOCK_UN);
}
