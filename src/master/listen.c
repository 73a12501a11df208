#include "master/master.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

struct wanted {
	struct sockaddr_storage addr;
	socklen_t len;
	char text[64];
};

static bool address_text(const struct sockaddr *addr, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	if (addr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)addr;

		if (!inet_ntop(AF_INET, &in->sin_addr, host, sizeof host))
			return false;
		snprintf(text, size, "%s:%u", host, ntohs(in->sin_port));
		return true;
	}
	const struct sockaddr_in6 *in6 = (const void *)addr;

	if (!inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host))
		return false;
	snprintf(text, size, "[%s]:%u", host, ntohs(in6->sin6_port));
	return true;
}

static bool family_is_wanted(const struct conf_view *v, int family)
{
	struct str words = str_c(conf_str(v, "inet_protocols")), word;
	bool any = false;

	while (str_word(&words, ", \t\r\n", &word)) {
		any = true;
		if (str_ieq(word, STR("all")) || (family == AF_INET && str_ieq(word, STR("ipv4"))) ||
			(family == AF_INET6 && str_ieq(word, STR("ipv6"))))
			return true;
	}
	return !any;
}

/* A kernel without IPv6 is no fault of a main.cf that says inet_interfaces = all. */
static bool machine_has_ipv6(void)
{
	struct sockaddr_in6 loopback = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

/* All addresses of host and port into w (at most n). Returns their number, or -1 with a reason. */
static int resolve(
	const char *host, const char *port, const struct conf_view *v, struct wanted *w, unsigned n, const char **why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list;
	int r = getaddrinfo(host, port, &hints, &list);
	bool ipv6 = machine_has_ipv6();
	unsigned found = 0;

	if (r != 0) {
		*why = r == EAI_SERVICE ? "no such service in /etc/services; write the port number" : gai_strerror(r);
		return -1;
	}
	for (const struct addrinfo *a = list; a && found < n; a = a->ai_next) {
		if (!family_is_wanted(v, a->ai_family) || a->ai_addrlen > sizeof w->addr ||
			(a->ai_family == AF_INET6 && !ipv6))
			continue;
		memcpy(&w[found].addr, a->ai_addr, a->ai_addrlen);
		w[found].len = a->ai_addrlen;
		if (address_text(a->ai_addr, w[found].text, sizeof w[found].text))
			found++;
	}
	freeaddrinfo(list);
	return (int)found;
}

/* "smtp", "2525", "127.0.0.1:2525", "[::1]:25": host part (empty: by inet_interfaces) and port. */
static void split_service(const char *name, char *host, size_t host_size, char *port, size_t port_size)
{
	struct str s = str_c(name), h = { 0 };
	ptrdiff_t colon = str_rchr(s, ':');

	if (colon >= 0) {
		h = str_sub(s, 0, (size_t)colon);
		s = str_from(s, (size_t)colon + 1);
	}
	if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
		h = str_sub(h, 1, h.n - 2);
	snprintf(host, host_size, "%.*s", STR_ARG(h));
	snprintf(port, port_size, "%.*s", STR_ARG(s));
}

static int resolve_service(const struct conf_service *service, struct wanted *w, unsigned n, const char **why)
{
	char host[256], port[64];
	struct str words = str_c(conf_str(service->view, "inet_interfaces")), word;
	int found = 0;

	split_service(service->name, host, sizeof host, port, sizeof port);
	if (host[0])
		return resolve(host, port, service->view, w, n, why);
	while (str_word(&words, ", \t\r\n", &word)) {
		char name[256];
		int more;

		if (str_ieq(word, STR("all")))
			snprintf(name, sizeof name, "%s", "");
		else if (str_ieq(word, STR("loopback-only")))
			snprintf(name, sizeof name, "localhost");
		else
			snprintf(name, sizeof name, "%.*s", STR_ARG(word));
		more = resolve(name[0] ? name : NULL, port, service->view, w + found, n - (unsigned)found, why);
		if (more < 0)
			return -1;
		found += more;
	}
	return found;
}

static int open_socket(const struct wanted *w)
{
	int on = 1, saved;
	int fd = socket(w->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* inherited by what is accepted */
	if (w->addr.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)&w->addr, w->len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* SO_REUSEPORT would let two instances share a port silently: try once without it. */
static bool is_taken(const struct wanted *w)
{
	int on = 1, fd = socket(w->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (w->addr.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	r = bind(fd, (const struct sockaddr *)&w->addr, w->len);
	if (r == 0)
		r = listen(fd, 1);
	r = r != 0 ? errno : 0;
	close(fd);
	errno = r;
	return r != 0;
}

static void say_failure(struct buf *errors, const struct conf_service *service, const struct wanted *w)
{
	if (errno == EADDRINUSE)
		buf_addf(errors,
			"cannot listen on %s (service %s): the port is in use; another mail server runs there (find it "
			"with "
			"`ss -ltnp`, stop it), or take another port in the first column of master.cf\n",
			w->text, service->name);
	else if (errno == EACCES)
		buf_addf(errors,
			"cannot listen on %s (service %s): ports below 1024 need root; start as root or take a higher "
			"port\n",
			w->text, service->name);
	else
		buf_addf(errors, "cannot listen on %s (service %s): %s\n", w->text, service->name, strerror(errno));
}

static const struct listen_address *find_address(const struct listeners *l, const char *address)
{
	for (unsigned i = 0; l && i < l->n; i++)
		if (strcmp(l->address[i].address, address) == 0)
			return &l->address[i];
	return NULL;
}

/* "0.0.0.0:25" of ours is in the way of "127.0.0.1:25" too, and may be. */
static bool is_our_port(const struct listeners *l, const char *address)
{
	const char *port = strrchr(address, ':');

	for (unsigned i = 0; l && i < l->n; i++)
		if (strcmp(strrchr(l->address[i].address, ':'), port) == 0)
			return true;
	return false;
}

/* What waits in the queue of a socket that goes on is not cut off: the new row gets it, as many as there are. */
static int fill_sockets(struct listen_address *a, const struct wanted *w, const struct listen_address *old)
{
	for (unsigned i = 0; i < a->n_fd; i++) {
		a->fd[i] = old && i < old->n_fd ? fcntl(old->fd[i], F_DUPFD_CLOEXEC, 3) : open_socket(w);
		if (a->fd[i] < 0)
			return -1;
	}
	return 0;
}

static int add_address(struct listeners *l, const struct conf_service *service, const struct wanted *w,
	unsigned n_smtpd, const struct listeners *old, struct buf *errors)
{
	const struct listen_address *twin = find_address(l, w->text);
	struct listen_address *a;

	if (twin && strcmp(twin->service, service->name) == 0)
		return 0; /* localhost and 127.0.0.1 */
	if (twin) {
		buf_addf(errors, "master.cf, line %u: service %s: %s is listened on by the service %s already\n",
			service->line, service->name, w->text, twin->service);
		return -1;
	}
	if (l->n == MAX_LISTEN_ADDRESSES) {
		buf_addf(errors, "master.cf, line %u: service %s: more than %d listening addresses in all\n",
			service->line, service->name, MAX_LISTEN_ADDRESSES);
		return -1;
	}
	a = &l->address[l->n++];
	snprintf(a->service, sizeof a->service, "%s", service->name);
	snprintf(a->address, sizeof a->address, "%s", w->text);
	a->n_fd = n_smtpd;
	a->fd = xcalloc(n_smtpd, sizeof *a->fd);
	for (unsigned i = 0; i < n_smtpd; i++)
		a->fd[i] = -1;
	if ((!is_our_port(old, w->text) && is_taken(w)) || fill_sockets(a, w, find_address(old, w->text)) != 0) {
		say_failure(errors, service, w);
		return -1;
	}
	return 0;
}

/* All addresses of one row. */
static int open_row(struct listeners *l, const struct conf_service *service, unsigned n_smtpd,
	const struct listeners *old, struct buf *errors)
{
	struct wanted w[MAX_LISTEN_ADDRESSES];
	const char *why =
		"none of the addresses in inet_interfaces is of a kind that inet_protocols and this machine have";
	int found = resolve_service(service, w, MAX_LISTEN_ADDRESSES, &why), result = 0;

	if (found <= 0) {
		buf_addf(errors, "master.cf, line %u: service %s: %s\n", service->line, service->name, why);
		return -1;
	}
	for (int k = 0; k < found; k++)
		if (add_address(l, service, &w[k], n_smtpd, old, errors) != 0)
			result = -1;
	return result;
}

int listeners_open(
	struct listeners *l, const struct conf *conf, unsigned n_smtpd, const struct listeners *old, struct buf *errors)
{
	const struct conf_service *service;
	size_t n = conf_services(conf, &service);
	int result = 0;

	memset(l, 0, sizeof *l);
	for (size_t i = 0; i < n; i++)
		if (strcmp(service[i].type, "inet") == 0 && strcmp(service[i].command, "smtpd") == 0 &&
			open_row(l, &service[i], n_smtpd, old, errors) != 0)
			result = -1;
	if (result == 0 && n_smtpd > 0)
		result = listen_local_open(l, conf, n_smtpd, old, errors);
	return result;
}

void listeners_close(struct listeners *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		for (unsigned k = 0; k < l->address[i].n_fd; k++)
			if (l->address[i].fd[k] >= 0)
				close(l->address[i].fd[k]);
		free(l->address[i].fd);
	}
	memset(l, 0, sizeof *l);
}
