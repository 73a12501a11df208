/* queue_fsck_read.c - read all segments as after a start, and say what cannot be read. */
#include "ctl/queue_fsck.h"
#include "base/ipc.h"
#include "base/utf8.h"
#include "log/mend.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_AT_OCTETS = RECORD_MAX_OCTETS + RECORD_HEADER_OCTETS };
/* Attributes of an envelope, docs/protocol/log.md. */
enum { TAG_ID = 1, TAG_SENDER = 5, TAG_RCPT = 14, RCPT_FIXED_OCTETS = 5 };

static size_t slot_of(uint64_t id)
{
	return (size_t)((id * 0x9E3779B97F4A7C15U) >> 20) % FSCK_HASH;
}

const char *fsck_type_name(unsigned type)
{
	static const char *const names[] = { "", "DATA", "COMMIT", "DONE", "DEFER", "HOLD", "VOID" };

	return type < sizeof names / sizeof *names ? names[type] : "";
}

struct fsck_segment *fsck_segment_find(const struct fsck *f, uint64_t generation)
{
	for (size_t i = 0; i < f->n_segment; i++)
		if (f->segment[i]->head.generation == generation && f->segment[i]->head.class != SEG_SPARE)
			return f->segment[i];
	return NULL;
}

/* ---- records ---- */

static void take_commit(struct fsck *f, struct fsck_segment *s, uint64_t offset, struct str payload)
{
	struct fsck_message *m = arena_alloc(f->mem, sizeof *m), **slot;

	memset(m, 0, sizeof *m);
	m->segment = s;
	m->offset = offset;
	if (envelope_decode(arena_dup(f->mem, payload), f->mem, &m->env) != 0)
		return; /* written so, by a later version: not damage */
	m->rcpt_done = arena_array(f->mem, m->env.n_rcpt + 1, sizeof *m->rcpt_done);
	memset(m->rcpt_done, 0, (m->env.n_rcpt + 1) * sizeof *m->rcpt_done);
	slot = &f->message[slot_of(m->env.id)];
	m->next = *slot;
	*slot = m;
}

static void take_done(struct fsck *f, struct str payload)
{
	struct ipc_in in = { payload, false };
	struct fsck_result *r = arena_alloc(f->mem, sizeof *r), **slot;
	uint32_t n;

	memset(r, 0, sizeof *r);
	r->id = ipc_get_u64(&in);
	r->generation = ipc_get_u64(&in);
	n = ipc_get_u32(&in);
	if (in.bad || n > in.rest.n / 4)
		return;
	r->all = n == 0;
	r->index = arena_array(f->mem, n + 1u, sizeof *r->index);
	for (uint32_t i = 0; i < n; i++)
		r->index[r->n++] = ipc_get_u32(&in);
	slot = &f->result[slot_of(r->id)];
	r->next = *slot;
	*slot = r;
}

static void take_record(struct fsck *f, struct fsck_segment *s, unsigned type, uint64_t offset, struct str payload)
{
	s->records++;
	if (type == RECORD_COMMIT)
		take_commit(f, s, offset, payload);
	else if (type == RECORD_DONE)
		take_done(f, payload);
	if (type != RECORD_DATA)
		return;
	if (s->n_data == s->cap_data) {
		s->cap_data = s->cap_data ? s->cap_data * 2 : 64;
		s->data = xrealloc(s->data, s->cap_data * sizeof *s->data);
	}
	s->data[s->n_data++] = (struct fsck_data){ offset + RECORD_HEADER_OCTETS, (uint32_t)payload.n };
}

/* ---- damage ---- */

static struct fsck_damage *add_damage(struct fsck *f, struct fsck_segment *s, uint64_t from, uint64_t to)
{
	s->damage = xrealloc(s->damage, (s->n_damage + 1) * sizeof *s->damage);
	s->damage[s->n_damage] = (struct fsck_damage){ from, to, false, "", "" };
	f->n_damage++;
	return &s->damage[s->n_damage++];
}

static void add_patch(struct fsck_segment *s, uint64_t at, const void *p, size_t n)
{
	char *copy = NULL;

	if (p) {
		copy = xcalloc(1, n);
		memcpy(copy, p, n);
	}
	s->patch = xrealloc(s->patch, (s->n_patch + 1) * sizeof *s->patch);
	s->patch[s->n_patch++] = (struct fsck_patch){ at, copy, n };
}

/* What the attributes of a damaged envelope still say, as far as they can be followed. */
static const char *salvage_commit(struct fsck *f, struct str payload)
{
	struct ipc_in in = { payload, false };
	struct buf text = BUF_INIT(1 << 20);
	const char *kept;

	while (in.rest.n > 0) {
		unsigned tag = ipc_get_u8(&in);
		struct str value = ipc_get_str(&in);

		if (in.bad)
			break;
		if (tag == TAG_ID && value.n == 8) {
			struct ipc_in number = { value, false };
			char id[ENVELOPE_ID_TEXT];

			buf_addf(&text, "%s:", envelope_id_text(ipc_get_u64(&number), id));
		} else if (tag == TAG_SENDER) {
			buf_add_c(&text, " from=<");
			utf8_add_visible(&text, value);
			buf_add_char(&text, '>');
		} else if (tag == TAG_RCPT && value.n > RCPT_FIXED_OCTETS) {
			struct ipc_in rcpt = { str_from(value, RCPT_FIXED_OCTETS), false };
			struct str address = ipc_get_str(&rcpt);

			buf_add_c(&text, " to=<");
			utf8_add_visible(&text, address);
			buf_add_char(&text, '>');
		}
	}
	kept = arena_dup(f->mem, buf_str(&text)).p;
	kept = text.n ? arena_printf(f->mem, "%.*s", (int)text.n, kept) : "";
	buf_free(&text);
	return kept;
}

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* How many of the two marks of a record's beginning are as they should be. */
static unsigned marks(const struct fsck_segment *s, const unsigned char *p)
{
	uint64_t generation = get32(p + 8) | (uint64_t)get32(p + 12) << 32;

	return (memcmp(p, "GPRD", 4) == 0 ? 1u : 0u) + (generation == s->head.generation ? 1u : 0u);
}

/* The lengths of what is there tell how far it goes; at most to `to`. */
static uint64_t end_of(const unsigned char *p, uint64_t at, uint64_t to)
{
	uint32_t n = get32(p + 16);

	return n <= RECORD_MAX_OCTETS && record_octets(n) <= to - at ? at + record_octets(n) : to;
}

/* p: its octets, `room` of them; NULL: they say nothing. */
static void note_lost(
	struct fsck *f, struct fsck_segment *s, const unsigned char *p, size_t room, uint64_t from, uint64_t to)
{
	struct fsck_damage *d = add_damage(f, s, from, to);
	unsigned type = p && marks(s, p) ? get32(p + 20) & 0xffff : 0;

	d->what = fsck_type_name(type);
	if (room > to - from)
		room = (size_t)(to - from);
	if (type == RECORD_COMMIT)
		d->lost = salvage_commit(f, str_pn(p + RECORD_HEADER_OCTETS, room - RECORD_HEADER_OCTETS));
	add_patch(s, from, NULL, (size_t)(to - from));
}

static void look_at_range(struct fsck *f, struct fsck_segment *s, uint64_t from, uint64_t to, bool is_tail)
{
	size_t n = to - from < LOOK_AT_OCTETS ? (size_t)(to - from) : LOOK_AT_OCTETS;
	unsigned char *p = xcalloc(1, n + RECORD_HEADER_OCTETS);
	uint64_t at = from;

	if (pread_all(s->fd, p, n, from) != 0) {
		uint64_t counted = 0;

		pread_passing(s->fd, p, n, from, &counted);
	}
	while (at < to && at - from + RECORD_HEADER_OCTETS <= n) {
		unsigned char *here = p + (at - from);
		size_t room = n - (size_t)(at - from), mended = record_mend(&s->head, here, room);
		uint64_t end;

		if (mended) {
			struct fsck_damage *d = add_damage(f, s, at, at + mended);

			d->mended = true;
			d->what = fsck_type_name(get32(here + 20) & 0xffff);
			f->n_mended++;
			add_patch(s, at, here, mended);
			take_record(f, s, get32(here + 20) & 0xffff, at,
				str_pn(here + RECORD_HEADER_OCTETS, get32(here + 16)));
			at += mended;
			continue;
		}
		if (is_tail && marks(s, here) < 2)
			break; /* of an earlier use */
		end = marks(s, here) ? end_of(here, at, to) : to;
		for (uint64_t next = at + 8; next + RECORD_HEADER_OCTETS <= end && next - from + 24 <= n; next += 8)
			if (marks(s, p + (next - from)) == 2)
				end = next;
		if (is_tail && end == to)
			end = at + RECORD_HEADER_OCTETS;
		note_lost(f, s, here, room, at, end);
		at = end;
	}
	if (!is_tail && at < to)
		note_lost(f, s, NULL, 0, at, to);
	free(p);
}

static void read_records(struct fsck *f, struct fsck_segment *s)
{
	uint64_t last = SEG_HEADER_OCTETS;
	struct log_scan scan;
	struct record r;

	log_scan_begin(&scan, s->fd, &s->head);
	scan.passes_errors = true;
	while (log_scan_next(&scan, s->head.size, &r) == 1) {
		if (r.offset > last)
			look_at_range(f, s, last, r.offset, false);
		take_record(f, s, r.type, r.offset, r.payload);
		last = scan.offset;
	}
	s->unreadable = scan.unreadable;
	log_scan_rest(&scan);
	if (last + RECORD_HEADER_OCTETS < s->head.size && !f->running)
		look_at_range(f, s, last, s->head.size, true);
}

/* ---- files ---- */

static void read_header(struct fsck_segment *s)
{
	unsigned char block[SEG_HEADER_OCTETS];
	int err = s->file_octets < SEG_HEADER_OCTETS ? 0 : segment_head_read(s->fd, &s->head);

	s->header = FSCK_GOOD;
	if (err == 1) {
		if (pread_all(s->fd, block, sizeof block, 0) == 0 && memcmp(block, block + 2048, 48) != 0)
			s->header = FSCK_ONE_COPY;
		if (s->head.size > s->file_octets)
			s->head.size = s->file_octets & ~(uint64_t)7;
		return;
	}
	if (err < 0 && err != -EBADMSG)
		s->error = err;
	else if (segment_head_rebuild(s->fd, s->file_octets, &s->head) == 1)
		s->header = FSCK_REBUILT;
	else
		s->header = err == 0 ? FSCK_BLANK : FSCK_LOST;
}

static void open_segment(struct fsck *f, const char *name)
{
	struct fsck_segment *s;
	struct stat st;
	unsigned number;
	char end;
	int fd;

	if (sscanf(name, "%8x.se%c", &number, &end) != 2 || strlen(name) != 12 || end != 'g')
		return;
	fd = openat(f->log, name, (f->running ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0)
		return;
	s = xcalloc(1, sizeof *s);
	memcpy(s->name, name, 13);
	s->fd = fd;
	s->file_octets = (uint64_t)st.st_size;
	read_header(s);
	f->segment = xrealloc(f->segment, (f->n_segment + 1) * sizeof(struct fsck_segment *));
	f->segment[f->n_segment++] = s;
}

static int by_generation(const void *a, const void *b)
{
	const struct fsck_segment *x = *(struct fsck_segment *const *)a, *y = *(struct fsck_segment *const *)b;

	if (x->head.generation != y->head.generation)
		return x->head.generation < y->head.generation ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int by_offset(const void *a, const void *b)
{
	const struct fsck_data *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* ---- what became of each message ---- */

bool fsck_message_is_whole(const struct fsck *f, struct fsck_message *m)
{
	m->damaged_octets = 0;
	for (size_t i = 0; i < m->env.n_extent; i++) {
		const struct extent *x = &m->env.extent[i];
		const struct fsck_segment *s = fsck_segment_find(f, x->generation);
		struct fsck_data key = { x->offset, 0 }, *d;

		d = s && s->n_data ? bsearch(&key, s->data, s->n_data, sizeof key, by_offset) : NULL;
		if (d == NULL || d->octets != x->octets)
			m->damaged_octets += x->octets;
	}
	return m->damaged_octets == 0;
}

static void apply_results(const struct fsck *f, struct fsck_message *m)
{
	size_t left = 0;

	for (const struct fsck_result *r = f->result[slot_of(m->env.id)]; r; r = r->next) {
		if (r->id != m->env.id)
			continue;
		if (r->all && r->generation >= m->segment->head.generation)
			m->state = FSCK_DONE;
		for (size_t i = 0; i < m->env.n_rcpt && r->generation == m->segment->head.generation; i++)
			for (size_t k = 0; k < r->n; k++)
				m->rcpt_done[i] |= m->env.rcpt[i].index == r->index[k];
	}
	for (size_t i = 0; i < m->env.n_rcpt; i++)
		left += !m->rcpt_done[i];
	if (left == 0)
		m->state = FSCK_DONE;
}

/* Another one of the same message that is whole. */
static bool has_copy(const struct fsck *f, const struct fsck_message *m, bool later)
{
	for (const struct fsck_message *x = f->message[slot_of(m->env.id)]; x; x = x->next)
		if (x->env.id == m->env.id && x->segment->head.generation != m->segment->head.generation &&
			(x->segment->head.generation > m->segment->head.generation) == later &&
			x->state == FSCK_WAITING)
			return true;
	return false;
}

static void count(struct fsck *f, const struct fsck_message *m)
{
	m->segment->waiting += m->state == FSCK_WAITING;
	m->segment->done += m->state == FSCK_DONE;
	m->segment->lost += m->state == FSCK_DAMAGED;
	m->segment->damaged_copies += m->state == FSCK_DAMAGED_COPY;
	f->n_waiting += m->state == FSCK_WAITING;
	f->n_lost += m->state == FSCK_DAMAGED;
	f->n_damaged_copies += m->state == FSCK_DAMAGED_COPY;
	f->n_given_up += m->state == FSCK_GIVEN_UP;
}

static void judge(struct fsck *f)
{
	for (size_t h = 0; h < FSCK_HASH; h++)
		for (struct fsck_message *m = f->message[h]; m; m = m->next) {
			apply_results(f, m);
			if (m->state != FSCK_DONE && m->env.flags & ENV_LOST)
				m->state = FSCK_GIVEN_UP;
			else if (m->state != FSCK_DONE && !fsck_message_is_whole(f, m))
				m->state = FSCK_DAMAGED;
		}
	for (size_t h = 0; h < FSCK_HASH; h++)
		for (struct fsck_message *m = f->message[h]; m; m = m->next) {
			if (m->state != FSCK_DONE && has_copy(f, m, true))
				m->state = FSCK_OLDER_COPY;
			else if (m->state == FSCK_DAMAGED && has_copy(f, m, false))
				m->state = FSCK_DAMAGED_COPY;
			count(f, m);
		}
}

int fsck_read(struct fsck *f)
{
	DIR *list = fdopendir(dup(f->log));

	if (list == NULL)
		return -1;
	for (struct dirent *e = readdir(list); e; e = readdir(list))
		open_segment(f, e->d_name);
	closedir(list);
	if (f->n_segment)
		qsort(f->segment, f->n_segment, sizeof *f->segment, by_generation);
	for (size_t i = 0; i < f->n_segment; i++) {
		struct fsck_segment *s = f->segment[i];

		if (f->progress)
			f->progress("read", i, f->n_segment);
		if (s->head.class == SEG_MAIL || s->head.class == SEG_RESULT)
			read_records(f, s);
		if (s->n_data)
			qsort(s->data, s->n_data, sizeof *s->data, by_offset);
	}
	judge(f);
	return 0;
}

bool fsck_is_clean(const struct fsck *f)
{
	for (size_t i = 0; i < f->n_segment; i++) {
		const struct fsck_segment *s = f->segment[i];

		if (s->n_damage || s->error || s->unreadable || (s->header != FSCK_GOOD && s->header != FSCK_BLANK))
			return false;
	}
	return f->n_lost == 0 && f->n_damaged_copies == 0;
}

void fsck_clear(struct fsck *f)
{
	for (size_t i = 0; i < f->n_segment; i++) {
		struct fsck_segment *s = f->segment[i];

		for (size_t k = 0; k < s->n_patch; k++)
			free(s->patch[k].p);
		free(s->patch);
		free(s->damage);
		free(s->data);
		close(s->fd);
		free(s);
	}
	free(f->segment);
	f->segment = NULL;
	f->n_segment = 0;
	arena_free(&f->mem);
}
