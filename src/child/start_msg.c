#include "child/start_msg.h"

void start_msg_encode(struct buf *out, const struct start_msg *m)
{
	ipc_put_u32(out, m->index);
	ipc_put_u32(out, m->count);
	ipc_put_u32(out, m->uid);
	ipc_put_u32(out, m->gid);
	ipc_put_u32(out, m->log_to);
	ipc_put_u32(out, m->facility);
	ipc_put_u8(out, m->root);
	ipc_put_u8(out, m->verbose);
	ipc_put_u8(out, m->has_counts);
	ipc_put_u32(out, m->counts_table);
	ipc_put_u32(out, m->slot);
	ipc_put_u32(out, m->n_store);
	ipc_put_str(out, m->config_directory);
	ipc_put_str(out, m->queue_directory);
	ipc_put_str(out, m->log_name);
	ipc_put_str(out, m->seed);
	ipc_put_str(out, m->secrets);
	ipc_put_u32(out, m->n_listener);
	for (uint32_t i = 0; i < m->n_listener; i++) {
		ipc_put_str(out, m->listener[i].service);
		ipc_put_str(out, m->listener[i].type);
		ipc_put_str(out, m->listener[i].address);
	}
}

int start_msg_decode(struct ipc_in *in, struct start_msg *m)
{
	memset(m, 0, sizeof *m);
	m->index = ipc_get_u32(in);
	m->count = ipc_get_u32(in);
	m->uid = ipc_get_u32(in);
	m->gid = ipc_get_u32(in);
	m->log_to = ipc_get_u32(in);
	m->facility = ipc_get_u32(in);
	m->root = ipc_get_u8(in);
	m->verbose = ipc_get_u8(in);
	m->has_counts = ipc_get_u8(in);
	m->counts_table = ipc_get_u32(in);
	m->slot = ipc_get_u32(in);
	m->n_store = ipc_get_u32(in);
	m->config_directory = ipc_get_str(in);
	m->queue_directory = ipc_get_str(in);
	m->log_name = ipc_get_str(in);
	m->seed = ipc_get_str(in);
	m->secrets = ipc_get_str(in);
	m->n_listener = ipc_get_u32(in);
	if (m->secrets.n > START_MAX_SECRETS * START_SECRET_OCTETS || m->secrets.n % START_SECRET_OCTETS != 0)
		return -1;
	if (m->n_listener > START_MAX_LISTENERS || m->n_store > START_MAX_STORES)
		return -1;
	for (uint32_t i = 0; i < m->n_listener; i++) {
		m->listener[i].service = ipc_get_str(in);
		m->listener[i].type = ipc_get_str(in);
		m->listener[i].address = ipc_get_str(in);
	}
	return ipc_get_end(in) ? 0 : -1;
}
