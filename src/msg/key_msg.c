#include "msg/key_msg.h"

static void get_id(struct ipc_in *in, struct key_id *id)
{
	for (size_t i = 0; i < sizeof id->octets; i++)
		id->octets[i] = ipc_get_u8(in);
}

void key_question_encode(struct buf *out, const struct key_question *q)
{
	ipc_put_u32(out, q->request);
	buf_add(out, q->key.octets, sizeof q->key.octets);
	ipc_put_u16(out, q->scheme);
	ipc_put_str(out, q->text);
}

int key_question_decode(struct ipc_in *in, struct key_question *q)
{
	memset(q, 0, sizeof *q);
	q->request = ipc_get_u32(in);
	get_id(in, &q->key);
	q->scheme = ipc_get_u16(in);
	q->text = ipc_get_str(in);
	return ipc_get_end(in) && q->text.n > 0 && q->text.n <= KEY_SIGNED_MAX ? 0 : -1;
}

void key_answer_encode(struct buf *out, const struct key_answer *a)
{
	ipc_put_u32(out, a->request);
	ipc_put_u8(out, (uint8_t)a->status);
	ipc_put_str(out, a->signature);
}

int key_answer_decode(struct ipc_in *in, struct key_answer *a)
{
	uint8_t status;

	memset(a, 0, sizeof *a);
	a->request = ipc_get_u32(in);
	status = ipc_get_u8(in);
	a->signature = ipc_get_str(in);
	if (!ipc_get_end(in) || status > KEY_FAILED || a->signature.n > KEY_SIGNATURE_MAX)
		return -1;
	a->status = (enum key_status)status;
	return (a->signature.n > 0) == (a->status == KEY_SIGNED) ? 0 : -1;
}

int key_store_next(struct str *rest, struct key_id *id, struct str *der)
{
	struct ipc_in in = { *rest, false };

	if (rest->n == 0)
		return 0;
	get_id(&in, id);
	*der = ipc_get_str(&in);
	if (in.bad || der->n == 0 || der->n > KEY_DER_MAX)
		return -1;
	*rest = in.rest;
	return 1;
}
