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
/* What the tables need beside their own files, and the jail has to leave them. */
struct tables_needs {
	size_t n_remote;	  /* tables that somebody else answers */
	bool by_library;	  /* is any of them behind a socket, and asked by the library of its database? */
	bool by_tcp;		  /* … and not in the file system alone? */
	const uint16_t *ports;	  /* ended by 0; NULL: any */
	const char *const *files; /* NULL-ended */
};
/* Their settings are read for it, before they are out of reach. */
void tables_needs(struct table_set *set, struct arena *mem, struct tables_needs *out);
/* Paths below which the tables' files lie, and those that they need; NULL-ended, in `mem`. */
const char *const *tables_paths(
	const struct table_set *set, const char *queue_directory, const struct tables_needs *needs, struct arena *mem);
/* Is there a file among them that this account may not read, now that we are root and can look? */
bool tables_need_root(
	const struct table_set *set, const struct tables_needs *needs, uid_t uid, gid_t gid, struct arena *mem);

/* A process that may ask. Takes: fd. */
void peer_open(struct mapd *m, enum role role, unsigned index, int fd);

#endif
