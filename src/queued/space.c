/* space.c - room on the disk, and whether we keep up: what smtpd must know before it takes a message. */
#include "queued/queued.h"
#include "base/log.h"
#include "msg/queue_msg.h"

#include <sys/statvfs.h>

enum { BEHIND_OCTETS = 64 * 1024 * 1024, KEEPS_UP_OCTETS = 8 * 1024 * 1024 };

struct room {
	uint64_t free, need;	/* octets */
	const char *need_is_of; /* a parameter */
};

static bool space_is_low(const struct queued *q, struct room *r)
{
	struct statvfs fs;
	bool lent = false;

	*r = (struct room){ 0, q->min_free, "queue_minfree" };
	if (fstatvfs(q->dir, &fs) != 0)
		return false;
	r->free = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (r->free < r->need)
		return true;
	/* Spares are on the disk already: mail fits into them when nothing else does. */
	for (const struct segment *s = q->segments; s; s = s->next) {
		r->free += s->state == SEG_FREE ? s->head.size : 0;
		lent |= s->state == SEG_LENT;
	}
	r->need = q->message_limit + q->message_limit / 2;
	r->need_is_of = "1.5 times message_size_limit";
	return r->free < r->need || (q->create_failed && !lent);
}

static void tell_low(const struct room *r)
{
	if (r->free < r->need)
		log_warn("not enough free space in the queue: %llu octets are free, and %llu must be (%s): no mail is "
			 "taken",
			(unsigned long long)r->free, (unsigned long long)r->need, r->need_is_of);
	else
		log_warn("not enough free space in the queue for a new segment: no mail is taken");
}

void space_check(struct queued *q)
{
	uint8_t intake = 0;
	struct room room;

	if (space_is_low(q, &room))
		intake |= INTAKE_LOW_SPACE;
	if (q->unread > BEHIND_OCTETS || ((q->intake & INTAKE_BEHIND) && q->unread > KEEPS_UP_OCTETS))
		intake |= INTAKE_BEHIND;
	if (intake == q->intake)
		return;
	if (intake & ~q->intake & INTAKE_LOW_SPACE)
		tell_low(&room);
	else if (q->intake & ~intake & INTAKE_LOW_SPACE)
		log_info("there is space in the queue again");
	q->intake = intake;
	smtpds_intake(q);
}
