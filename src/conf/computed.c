/* computed.c - the defaults that the machine gives: names, networks, directories. */
#include "conf/conf_impl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

static void set(struct conf *c, const char *name, const char *value)
{
	dict_set(&c->computed, str_c(name), str_c(value), 0);
}

/* Length of a netmask. */
static unsigned mask_bits(const unsigned char *mask, size_t octets)
{
	unsigned n = 0;

	while (n < octets * 8 && (mask[n / 8] >> (7 - n % 8) & 1))
		n++;
	return n;
}

static void clear_host(unsigned char *address, size_t octets, unsigned bits)
{
	for (unsigned n = bits; n < octets * 8; n++)
		address[n / 8] &= (unsigned char)~(1u << (7 - n % 8));
}

/* RFC 791 sec. 3.2 */
static unsigned class_bits(unsigned char first)
{
	return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 4;
}

static void add_network(struct buf *out, const char *text)
{
	struct str rest = buf_str(out), word;

	while (str_word(&rest, " ", &word))
		if (str_eq(word, str_c(text)))
			return;
	buf_addf(out, "%s%s", out->n ? " " : "", text);
}

static void add_ipv4(struct buf *out, const struct ifaddrs *i, struct str style)
{
	char text[INET_ADDRSTRLEN], network[INET_ADDRSTRLEN + 4];
	unsigned char a[4], m[4] = { 255, 255, 255, 255 };
	unsigned bits = 32;

	memcpy(a, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, 4);
	if (i->ifa_netmask)
		memcpy(m, &((const struct sockaddr_in *)(const void *)i->ifa_netmask)->sin_addr, 4);
	if (a[0] == 127) /* RFC 1122 sec. 3.2.1.3: all of it is this host */
		bits = 8;
	else if (str_eq(style, STR("subnet")))
		bits = mask_bits(m, 4);
	else if (str_eq(style, STR("class")))
		bits = class_bits(a[0]);
	clear_host(a, 4, bits);
	inet_ntop(AF_INET, a, text, sizeof(text));
	snprintf(network, sizeof(network), "%s/%u", text, bits);
	add_network(out, network);
}

static void add_ipv6(struct buf *out, const struct ifaddrs *i, struct str style)
{
	char text[INET6_ADDRSTRLEN], network[INET6_ADDRSTRLEN + 8];
	unsigned char a[16], m[16];
	unsigned bits = 128;

	memcpy(a, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, 16);
	memset(m, 255, sizeof(m));
	if (i->ifa_netmask)
		memcpy(m, &((const struct sockaddr_in6 *)(const void *)i->ifa_netmask)->sin6_addr, 16);
	if (!str_eq(style, STR("host")))
		bits = mask_bits(m, 16);
	clear_host(a, 16, bits);
	inet_ntop(AF_INET6, a, text, sizeof(text));
	snprintf(network, sizeof(network), "[%s]/%u", text, bits);
	add_network(out, network);
}

const char *own_networks(struct arena *mem, struct str style)
{
	struct buf out = BUF_INIT(65536);
	struct ifaddrs *list = NULL;
	const char *text;

	add_network(&out, "127.0.0.0/8");
	if (getifaddrs(&list) == 0) {
		for (const struct ifaddrs *i = list; i; i = i->ifa_next)
			if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && (i->ifa_flags & IFF_UP))
				add_ipv4(&out, i, style);
		add_network(&out, "[::1]/128");
		for (const struct ifaddrs *i = list; i; i = i->ifa_next)
			if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET6 && (i->ifa_flags & IFF_UP))
				add_ipv6(&out, i, style);
		freeifaddrs(list);
	}
	add_network(&out, "[::1]/128");
	text = arena_cdup(mem, buf_str(&out));
	buf_free(&out);
	return text;
}

/* Our programs, installed or in the build directory: beside this one, or in ../libexec/gatepost and ../sbin. */
static void compute_directories(struct conf *c)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	struct str dir = n > 0 && (size_t)n < sizeof(self) ? str_pn(self, (size_t)n) : STR("/usr/local/sbin/postconf");
	const char *beside, *daemons;

	dir = str_sub(dir, 0, (size_t)str_rchr(dir, '/'));
	beside = arena_cdup(c->mem, dir);
	if (str_has_suffix(dir, STR("/libexec/gatepost"))) {
		set(c, "daemon_directory", beside);
		dir.n -= sizeof("/libexec/gatepost") - 1;
		set(c, "command_directory", arena_printf(c->mem, "%.*s/sbin", STR_ARG(dir)));
		return;
	}
	set(c, "command_directory", beside);
	dir = str_sub(dir, 0, (size_t)str_rchr(dir, '/'));
	daemons = arena_printf(c->mem, "%.*s/libexec/gatepost", STR_ARG(dir));
	set(c, "daemon_directory", access(daemons, X_OK) == 0 ? daemons : beside);
}

/* gethostname(); a name without a dot gets the domain. */
static void compute_names(struct conf *c)
{
	char name[256] = "";
	const char *full, *my, *dot;

	if (gethostname(name, sizeof(name) - 1) || !name[0])
		memcpy(name, "localhost", sizeof("localhost"));
	full = strchr(name, '.') ? arena_cdup(c->mem, str_c(name)) : arena_printf(c->mem, "%s.localdomain", name);
	if (!strchr(name, '.')) {
		const struct dict_entry *domain = dict_find(&c->main, STR("mydomain"));

		if (domain && domain->value.n && str_chr(domain->value, '$') < 0)
			full = arena_printf(c->mem, "%s.%.*s", name, STR_ARG(domain->value));
	}
	set(c, "myhostname", full);
	my = conf_lookup(&c->main_view, "myhostname");
	my = my ? my : full;
	dot = strchr(my, '.');
	set(c, "mydomain", dot && dot[1] ? arena_cdup(c->mem, str_c(dot + 1)) : "localdomain");
}

void conf_compute(struct conf *c)
{
	const char *style;

	*c->main_view.cache = (struct dict){ .mem = c->mem };
	set(c, "config_directory", c->dir);
	set(c, "process_name", program_invocation_short_name);
	set(c, "process_id", arena_printf(c->mem, "%ld", (long)getpid()));
	compute_directories(c);
	compute_names(c);
	style = conf_lookup(&c->main_view, "mynetworks_style");
	set(c, "mynetworks", own_networks(c->mem, str_c(style ? style : "host")));
	/* What was asked for on the way saw only a part of the defaults. */
	*c->main_view.cache = (struct dict){ .mem = c->mem };
}
