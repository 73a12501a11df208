/* Below TLS: a layer of liblber that waits for a server's octets, and for room to send, no longer than a question may take. */
#include "authd/ldap_session.h"

#include <errno.h>
#include <poll.h>

static bool is_ready(const Sockbuf_IO_Desc *d, short events)
{
	const struct ldap_conn *c = d->sbiod_pvt;
	struct pollfd p = { .fd = -1, .events = events };
	int r;

	ber_sockbuf_ctrl(d->sbiod_sb, LBER_SB_OPT_GET_FD, &p.fd);
	do {
		uint64_t now = ldap_now_ms();

		r = poll(&p, 1, c->deadline > now ? (int)(c->deadline - now) : 0);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		errno = ETIMEDOUT;
	return r > 0;
}

static int bound_setup(Sockbuf_IO_Desc *d, void *conn)
{
	d->sbiod_pvt = conn;
	return 0;
}

static int bound_remove(Sockbuf_IO_Desc *d)
{
	d->sbiod_pvt = NULL;
	return 0;
}

static int bound_ctrl(Sockbuf_IO_Desc *d, int option, void *arg)
{
	return LBER_SBIOD_CTRL_NEXT(d, option, arg);
}

static ber_slen_t bound_read(Sockbuf_IO_Desc *d, void *octets, ber_len_t n)
{
	return is_ready(d, POLLIN) ? LBER_SBIOD_READ_NEXT(d, octets, n) : -1;
}

static ber_slen_t bound_write(Sockbuf_IO_Desc *d, void *octets, ber_len_t n)
{
	return is_ready(d, POLLOUT) ? LBER_SBIOD_WRITE_NEXT(d, octets, n) : -1;
}

static int bound_close(Sockbuf_IO_Desc *d)
{
	(void)d;
	return 0;
}

static Sockbuf_IO bound = { bound_setup, bound_remove, bound_ctrl, bound_read, bound_write, bound_close };

static int on_connected(LDAP *ld, Sockbuf *sb, LDAPURLDesc *server, struct sockaddr *address, struct ldap_conncb *cb)
{
	enum { ABOVE_THE_SOCKET = LBER_SBIOD_LEVEL_PROVIDER + 1 }; /* TLS comes above it */

	(void)ld;
	(void)server;
	(void)address;
	return ber_sockbuf_add_io(sb, &bound, ABOVE_THE_SOCKET, cb->lc_arg);
}

static void on_disconnected(LDAP *ld, Sockbuf *sb, struct ldap_conncb *cb)
{
	(void)ld;
	(void)sb;
	(void)cb;
}

int ldap_bound_set(struct ldap_conn *c, LDAP *ld)
{
	c->on_connect = (struct ldap_conncb){ on_connected, on_disconnected, c };
	return ldap_set_option(ld, LDAP_OPT_CONNECT_CB, &c->on_connect);
}
