/* store.c - certificates and keys as they were read, for the processes that were started with them. */
#include "master/master.h"
#include "base/log.h"
#include "tls/held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct store *store_end_record(struct buf *faults)
{
	struct store *s = xcalloc(1, sizeof *s);
	struct stat st;

	s->refs = 1;
	if (tls_record_end(&s->record, faults) != 0 || fstat(s->record.keys_fd, &st) != 0) {
		free(s);
		return NULL;
	}
	s->n_mapped = (size_t)st.st_size;
	s->mapped = s->n_mapped ? mmap(NULL, s->n_mapped, PROT_READ | PROT_WRITE, MAP_SHARED, s->record.keys_fd, 0)
				: MAP_FAILED;
	if (s->mapped != MAP_FAILED) {
		mlock(s->mapped, s->n_mapped);			/* where we may: then it is never written to swap */
		madvise(s->mapped, s->n_mapped, MADV_DONTDUMP); /* nor into a core */
	}
	return s;
}

struct store *store_hold(struct store *s)
{
	if (s)
		s->refs++;
	return s;
}

void store_release(struct store **store)
{
	struct store *s = *store;

	*store = NULL;
	if (s == NULL || --s->refs > 0)
		return;
	if (s->mapped != MAP_FAILED) {
		mem_wipe(s->mapped, s->n_mapped);
		munmap(s->mapped, s->n_mapped);
	}
	tls_record_free(&s->record);
	free(s);
}

static void give(struct proc *keyd, struct store *s)
{
	for (unsigned i = 0; i < keyd->n_reading; i++)
		if (keyd->reading[i] == s)
			return;
	if (s && keyd->n_reading < START_MAX_STORES)
		keyd->reading[keyd->n_reading++] = store_hold(s);
}

unsigned store_give_keys(const struct master *m, struct proc *keyd, int *fds)
{
	give(keyd, m->certs.store);
	for (const struct proc *p = m->procs; p; p = p->next)
		if (p->role == ROLE_SMTPD && !p->exited)
			give(keyd, p->store);
	for (unsigned i = 0; i < keyd->n_reading; i++)
		fds[i] = keyd->reading[i]->record.keys_fd;
	return keyd->n_reading;
}

void store_keys_are_read(struct proc *keyd)
{
	while (keyd->n_reading > 0)
		store_release(&keyd->reading[--keyd->n_reading]);
}
