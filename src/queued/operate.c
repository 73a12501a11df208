/* operate.c - flush, delete, hold, release, requeue: by ETRN, postqueue(1), postsuper(1). */
#include "queued/queued.h"
#include "base/log.h"

bool operate_flush(struct queued *q, struct message *m)
{
	if (m->state != MSG_WAITING)
		return false;
	m->dest = 0; /* tried even where the destination was dead a moment ago */
	message_ready(q, m);
	return true;
}

bool operate_delete(struct queued *q, struct message *m)
{
	char id[ENVELOPE_ID_TEXT];

	if (m->state == MSG_ACTIVE || (m->flags & MF_MOVING)) { /* an agent has it, or its copy is on its way */
		m->flags |= MF_DELETED;
		return true;
	}
	result_done(q, m, NULL, 0);
	log_info("%s: removed", envelope_id_text(m->id, id));
	if (m->active) { /* decoded ahead of its turn */
		struct arena *mem = m->active->mem;

		m->active = NULL;
		arena_free(&mem);
	}
	message_free(q, m);
	return true;
}

bool operate_hold(struct queued *q, struct message *m)
{
	char id[ENVELOPE_ID_TEXT];

	if (m->state == MSG_HELD || (m->flags & MF_HELD))
		return false;
	if (m->state == MSG_ACTIVE)
		m->flags |= MF_HELD;
	else
		message_hold(q, m);
	result_hold(q, m);
	log_info("%s: placed on hold", envelope_id_text(m->id, id));
	return true;
}

bool operate_release(struct queued *q, struct message *m)
{
	char id[ENVELOPE_ID_TEXT];

	if (m->flags & MF_HELD)
		m->flags &= (uint8_t)~MF_HELD;
	else if (m->state == MSG_HELD)
		message_ready(q, m);
	else
		return false;
	result_hold(q, m);
	log_info("%s: released from hold", envelope_id_text(m->id, id));
	return true;
}

bool operate_requeue(struct queued *q, struct message *m)
{
	char id[ENVELOPE_ID_TEXT];

	if (m->state == MSG_ACTIVE)
		return false;
	if (m->state == MSG_HELD)
		operate_release(q, m);
	else if (m->state == MSG_WAITING)
		operate_flush(q, m);
	m->attempts = 0;
	log_info("%s: requeued", envelope_id_text(m->id, id));
	return true;
}

/*
 * Returned to its sender at its next turn; that is now, but for a message that is being delivered or on hold. The mark
 * is written down with the hold.
 */
bool operate_expire(struct queued *q, struct message *m)
{
	char id[ENVELOPE_ID_TEXT];

	if (m->flags & MF_EXPIRE)
		return false;
	m->flags |= MF_EXPIRE;
	result_hold(q, m);
	log_info("%s: force-expired", envelope_id_text(m->id, id));
	if (m->state == MSG_WAITING || m->state == MSG_PARKED) {
		message_unlink(q, m);
		message_ready(q, m);
	}
	m->dest = 0; /* dead or busy, it does not matter any more */
	return true;
}

bool operate_expire_release(struct queued *q, struct message *m)
{
	bool expired = operate_expire(q, m), released = operate_release(q, m);

	return expired || released;
}
