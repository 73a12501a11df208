/*
 * network_files.h - what libraries read at a connection to another host (names of hosts, certificates, plug-ins), for the jail
 * of a process whose connections are made by one.
 */
#ifndef CHILD_NETWORK_FILES_H
#define CHILD_NETWORK_FILES_H

#include <stdint.h>

enum { NETWORK_DNS_PORT = 53 };

/* Files and directories; the list ends with NULL. */
extern const char *const network_files[];

#endif
