#include "smtpd/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_new(const struct sockaddr *addr, socklen_t n, const char **why)
{
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd >= 0 && (connect(fd, addr, n) == 0 || errno == EINPROGRESS))
		return fd;
	err = errno;
	*why = strerror(err);
	if (err == EACCES && addr->sa_family != AF_UNIX)
		*why = "Permission denied: no parameter names this port, and others are closed to smtpd";
	if (fd >= 0)
		close(fd);
	errno = err;
	return -1;
}

int endpoint_connect_unix(struct str path, const char **why)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (path.n == 0 || path.n >= sizeof addr.sun_path) {
		*why = "the path of its socket is too long or empty";
		errno = EINVAL;
		return -1;
	}
	memcpy(addr.sun_path, path.p, path.n);
	return connect_new((const struct sockaddr *)&addr, sizeof addr, why);
}

int endpoint_connect_addr(const struct sockaddr *addr, socklen_t n, const char **why)
{
	return connect_new(addr, n, why);
}

const char *endpoint_fault(int fd)
{
	int err = 0;
	socklen_t n = sizeof err;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0)
		err = errno;
	return err ? strerror(err) : "it closed the connection";
}

bool endpoint_split(struct str host_port, struct str *host, struct str *port)
{
	ptrdiff_t colon = str_rchr(host_port, ':');

	*host = colon > 0 ? str_sub(host_port, 0, (size_t)colon) : STR("");
	*port = colon > 0 ? str_from(host_port, (size_t)colon + 1) : STR("");
	if (host->n > 2 && host->p[0] == '[')
		*host = str_sub(*host, 1, host->n - 2);
	return host->n > 0 && port->n > 0;
}

socklen_t endpoint_addr(struct str host, uint16_t port, union endpoint_addr *addr)
{
	char text[INET6_ADDRSTRLEN] = "";

	memset(addr, 0, sizeof *addr);
	if (str_ieq(host, STR("localhost")))
		host = STR("127.0.0.1");
	if (host.n < sizeof text)
		memcpy(text, host.p, host.n);
	if (inet_pton(AF_INET, text, &addr->v4.sin_addr) == 1) {
		addr->v4.sin_family = AF_INET;
		addr->v4.sin_port = htons(port);
		return sizeof addr->v4;
	}
	memset(addr, 0, sizeof *addr);
	if (inet_pton(AF_INET6, text, &addr->v6.sin6_addr) == 1) {
		addr->v6.sin6_family = AF_INET6;
		addr->v6.sin6_port = htons(port);
		return sizeof addr->v6;
	}
	return 0;
}

static int connect_inet(struct str host_port, const char **why)
{
	union endpoint_addr addr;
	struct str host, port;
	uint64_t number;
	socklen_t n;

	if (endpoint_split(host_port, &host, &port) && str_u64(port, &number) && number > 0 && number <= 65535) {
		n = endpoint_addr(host, (uint16_t)number, &addr);
		if (n > 0)
			return endpoint_connect_addr(&addr.any, n, why);
	}
	*why = "write it as inet:ADDRESS:PORT with a numeric address";
	errno = EINVAL;
	return -1;
}

int endpoint_connect(struct str where, const char **why)
{
	if (str_has_prefix(where, STR("inet:")))
		return connect_inet(str_from(where, 5), why);
	return endpoint_connect_unix(str_has_prefix(where, STR("unix:")) ? str_from(where, 5) : where, why);
}
