#include "child/network_files.h"

#include <stddef.h>

const char *const network_files[] = { "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf",
	"/etc/gai.conf", "/etc/services", "/etc/passwd", "/etc/ssl", "/etc/mysql", "/usr/share/ca-certificates",
	"/etc/ldap", "/etc/gnutls", "/usr/local/share/ca-certificates", "/lib", "/usr/lib", "/usr/local/lib",
	"/run/systemd/resolve", NULL };
