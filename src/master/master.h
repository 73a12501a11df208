/*
 * master.h - the process that holds root: configuration, listening sockets, starting and restarting the others. It reads
 * no octet from the network.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "base/counts.h"
#include "base/ipc.h"
#include "child/start_msg.h"
#include "conf/conf.h"
#include "msg/roles.h"
#include "tls/held.h"

enum { MAX_PROCESSES = 256, MAX_LISTEN_ADDRESSES = 32 };

/* One listening address of one master.cf row, with a socket per smtpd (SO_REUSEPORT). */
struct listen_address {
	char service[128];
	char address[64]; /* "127.0.0.1:2525", "[::1]:2525", "unix:public/submit" */
	int *fd;	  /* one per smtpd */
	unsigned n_fd;
};

struct listeners {
	struct listen_address address[MAX_LISTEN_ADDRESSES];
	unsigned n;
};

/* What one reading of the configuration gives; a reload makes a new one. */
struct setup {
	struct conf *conf;
	const struct conf_view *main;
	int main_cf_fd, master_cf_fd; /* memfd */
	int log_fd;		      /* -1: not to a file */
	int log_to, facility;
	bool has_smtpd, has_authd, has_authpam;
	unsigned n_smtpd, n_relay;
	uid_t uid[ROLE_COUNT];
	gid_t gid[ROLE_COUNT];
	struct listeners listeners;
};

struct proc { /* one child */
	struct proc *next;
	struct master *master;
	enum role role;
	unsigned index;	     /* lowest number that no other live process of that role has */
	unsigned slot;	     /* which of the wanted ones it fills: listeners[].fd[slot] */
	unsigned generation; /* of the setup that it was started with */
	uv_process_t handle;
	struct ipc channel;
	uint64_t started_ms;
	unsigned open_handles;
	bool channel_open, exited, ready;
	bool garbled;	    /* it has answered with what is no JSON */
	bool leaving, told; /* a successor takes its place; it knows */
	char jail[256];
	unsigned accusations; /* of others, since accused_first_ms */
	uint64_t accused_first_ms;
	unsigned counts_table;			 /* of an smtpd */
	uint32_t first_asked, last_answered;	 /* requests of control.c; 0: none */
	struct store *store;			 /* of an smtpd: it was started with it */
	struct store *reading[START_MAX_STORES]; /* of a keyd, until it is ready */
	unsigned n_reading;
};

/* What was read from them: memory for smtpd and for keyd, which both only get a part. */
struct store {
	unsigned refs;
	struct tls_record record;
	void *mapped; /* the keys; MAP_FAILED: none */
	size_t n_mapped;
};

/* Files of certificates, keys and tables of them, and what they were when they were last read. */
struct certs {
	char **path;
	size_t n;
	uint64_t state;	     /* digest of their sizes, times and inodes */
	unsigned n_faults;   /* of what could not be used */
	char *faults;	     /* a line each */
	struct store *store; /* NULL: smtpd reads them itself */
};

struct secrets { /* of session tickets: secrets.c; the newest first */
	unsigned char octets[START_MAX_SECRETS][START_SECRET_OCTETS];
	uint64_t since_ms[START_MAX_SECRETS];
	unsigned n;
	uv_timer_t timer;
};

struct master {
	uv_loop_t *loop;
	const char *config_directory;
	char *program_directory;
	char *queue_directory;
	bool root, foreground, stopping;
	bool needs_fetchd; /* said by the authd of this generation */
	unsigned generation;
	struct setup setup;
	struct proc *procs;
	struct edge *edges;	/* channels between processes: edges.c */
	unsigned char seed[32]; /* under which smtpds count clients */
	struct secrets secrets;
	struct counts *counts; /* what all smtpds count of clients; NULL: each for itself */
	int counts_fd;
	uv_signal_t signals[4];
	uv_timer_t restart_timer, stop_timer;
	struct pickup *pickup;
	struct certs certs;	/* those that smtpd and relay run with */
	uint64_t certs_seen;	/* state at the last look; they have settled when it is the same twice */
	uint64_t certs_refused; /* state that was of no use; 0: none */
	unsigned certs_looks;	/* after so many it is taken, without the names that are at fault; 0: it is not */
	uv_timer_t certs_timer;
	unsigned restarts[ROLE_COUNT], quick_deaths[ROLE_COUNT];
	uint64_t next_start_ms[ROLE_COUNT];
	uint64_t smtpd_hold_until_ms; /* 0: smtpd waits for nobody */
	struct control *control;
};

/* setup.c: read and check everything; faults as lines into *errors. 0, or -1. */
int setup_load(struct setup *s, const char *config_directory, bool root, struct buf *errors);
void setup_free(struct setup *s);
/* Directories of the queue with their owners. 0, or -1 with a line in *errors. */
int setup_directories(const struct setup *s, bool root, struct buf *errors);

/* listen.c: sockets for every inet row of master.cf whose command is smtpd. Those of `old` (may be NULL) with the same
 * address are shared; `old` stays whole. 0, or -1: each address that cannot be had is a line in *errors; *l is to be
 * closed in both cases. */
int listeners_open(struct listeners *l, const struct conf *conf, unsigned n_smtpd, const struct listeners *old,
	struct buf *errors);
void listeners_close(struct listeners *l);

/* procs.c */
/* How many of that role should run under this setup. */
unsigned procs_wanted(const struct master *m, enum role role);
/* Start what is missing; plans the restart timer when something has to wait. */
void procs_fill(struct master *m);
/* The same for a whole new generation: smtpd waits a little for those that it asks. */
void procs_fill_all(struct master *m);
/* How many wanted processes are not there, or are not ready. */
unsigned procs_missing(const struct master *m);

/* leave.c */
/* Tell it to end. Once is enough, but for something stronger. */
void proc_tell(struct proc *p, enum stop_how how);
/* All of that role are to leave when their successors are ready, which are to be started by procs_fill(). */
void procs_replace(struct master *m, enum role role);
/*
 * All that run now are to leave. Only queued is told at once, because its successor has to wait for its end; each other
 * role serves until all of its successors are ready, so that nobody who asks finds nobody.
 */
void procs_retire(struct master *m);
void procs_kill(struct master *m, int signum);
unsigned procs_count(const struct master *m);
/* The instance stops. The loop is asked to end when no child is left. */
void procs_stop_all(struct master *m);
/* One has ended meanwhile: are there others whose turn it is? */
void procs_stop_more(struct master *m);

/* edges.c: a channel between the new process and each live one that it belongs with. */
void edges_connect(struct master *m, struct proc *p);
bool edges_belong_together(enum role a, enum role b);
/* It has ended, and its channels with it. */
void edges_drop(const struct proc *p);
/* `p` has ended a channel of its own. The live process at the other end; NULL: it has no channel with that one. */
struct proc *edges_cut(const struct proc *p, enum role role, unsigned index);

/* secrets.c */
/* Begin with the first; later ones come by themselves. */
void secrets_begin(struct master *m);
/* Another one, now, for all smtpds but those that leave. */
void secrets_renew(struct master *m);
/* Those that count, START_SECRET_OCTETS each, the newest first. */
struct str secrets_text(const struct master *m);

/* accuse.c */
/*
 * `accuser` says that this peer of its broke its permit table. 0, or -1: it can never have a channel with such a one, which
 * breaks the accuser's own table.
 */
int accuse(struct proc *accuser, enum role role, unsigned index, const char *why);

/* certs.c: certificates that change while we run. */
/*
 * Read all that smtpd and relay would read now. `faults` gets a line for each that is of no use. What has not changed since
 * `before` (NULL: nothing was read) is taken from there. 0, or -1: it cannot be passed on; the last line says why.
 */
int certs_load(struct certs *c, const struct conf *conf, const struct certs *before, struct buf *faults);
void certs_free(struct certs *c);
/* Look at the files of m->certs again and again. */
void certs_watch(struct master *m);

/* store.c */
/* What tls_record_begin() began. NULL: it is too much, or there is no memory; a line in *faults. */
struct store *store_end_record(struct buf *faults);
struct store *store_hold(struct store *s);
/* With the last one its keys are wiped. */
void store_release(struct store **s);
/*
 * Stores for a new keyd: that of now, and those that an smtpd which is leaving may still need, newest first. None is wiped
 * before it has read them. fds: START_MAX_STORES, borrowed. How many.
 */
unsigned store_give_keys(const struct master *m, struct proc *keyd, int *fds);
void store_keys_are_read(struct proc *keyd);

/* control.c: the socket of `gatepost status | auth who | stop | reload`. */
struct control *control_open(struct master *m, const char *path);
void control_close(struct control **c);
void control_status_answer(struct control *c, struct proc *p, uint32_t request, struct str json);
void control_who_answer(struct control *c, struct proc *p, uint32_t request, struct str rows, bool is_last);
/* A process has ended: what it still owed an answer is answered without it. */
void control_proc_gone(struct control *c, const struct proc *p);

/* listen_local.c: public/submit, where sendmail(1) gives mail. 0, or -1 and a line in *errors. */
int listen_local_open(struct listeners *l, const struct conf *conf, unsigned n_smtpd, const struct listeners *old,
	struct buf *errors);
bool listen_is_local(const struct listen_address *a);

/* pickup.c: what sendmail(1) left in maildrop while nobody took it. */
void pickup_begin(struct master *m);
void pickup_end(struct master *m);

/* main.c */
void master_reload(struct master *m, struct buf *errors);
void master_stop(struct master *m);

#endif
