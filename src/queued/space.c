/* space.c - room on the disk, and whether we keep up: what smtpd must know before it takes a message. */
#include "queued/queued.h"
#include "base/log.h"
#include "msg/queue_msg.h"

#include <sys/statvfs.h>

enum { BEHIND_OCTETS = 64 * 1024 * 1024, KEEPS_UP_OCTETS = 8 * 1024 * 1024 };

static bool space_is_low(const struct queued *q)
{
	uint64_t octets, need = q->message_limit + q->message_limit / 2;
	struct statvfs fs;
	bool lent = false;

	if (fstatvfs(q->dir, &fs) != 0)
		return false;
	octets = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (octets < q->min_free)
		return true;
	/* Spares are on the disk already: mail fits into them when nothing else does. */
	for (const struct segment *s = q->segments; s; s = s->next) {
		octets += s->state == SEG_FREE ? s->head.size : 0;
		lent |= s->state == SEG_LENT;
	}
	return octets < need || (q->create_failed && !lent);
}

void space_check(struct queued *q)
{
	uint8_t intake = 0;

	if (space_is_low(q))
		intake |= INTAKE_LOW_SPACE;
	if (q->unread > BEHIND_OCTETS || ((q->intake & INTAKE_BEHIND) && q->unread > KEEPS_UP_OCTETS))
		intake |= INTAKE_BEHIND;
	if (intake == q->intake)
		return;
	if (intake & ~q->intake & INTAKE_LOW_SPACE)
		log_warn("not enough free space in the queue: no mail is taken");
	else if (q->intake & ~intake & INTAKE_LOW_SPACE)
		log_info("there is space in the queue again");
	q->intake = intake;
	smtpds_intake(q);
}
