/* mapd.h - state of the process that reads the lookup tables. */
#ifndef MAPD_MAPD_H
#define MAPD_MAPD_H

#include "child/child.h"
#include "map/resolve.h"

struct mapd {
	struct child child;
	struct table_set *tables; /* all that the configuration names; sealed */
	struct resolve_settings settings;
	struct resolver *resolver;
	uint64_t questions, temporary; /* answered since the start */
	unsigned under_way;
	bool stopping;
};

/* Name every table that a parameter or a restriction of main.cf or master.cf names, so that others can be refused. */
void tables_of_conf(struct table_set *set, const struct conf *conf);
/* Tables in databases behind sockets: what the jail has to leave them. */
struct tables_network {
	size_t n;		  /* such tables */
	bool by_tcp;		  /* is any of them not behind a socket in the file system? */
	const uint16_t *ports;	  /* ended by 0; NULL: any */
	const char *const *files; /* NULL-ended */
};
void tables_network(const struct table_set *set, struct arena *mem, struct tables_network *out);
/* Paths below which the tables' files lie, and those of `network`; NULL-ended, in `mem`. */
const char *const *tables_paths(const struct table_set *set, const char *queue_directory,
	const struct tables_network *network, struct arena *mem);
/* Is there a table whose file this account may not read, now that we are root and can look? */
bool tables_need_root(const struct table_set *set, uid_t uid, gid_t gid, struct arena *mem);

/* A process that may ask. Takes: fd. */
void peer_open(struct mapd *m, enum role role, unsigned index, int fd);

#endif
