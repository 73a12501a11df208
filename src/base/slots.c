#include "base/slots.h"

#include <pthread.h>
#include <sys/mman.h>

#ifdef ASAN
static const bool is_off = true; /* every block is malloc()'s, which the sanitizer watches */
#else
static const bool is_off = false;
#endif
enum { SLOTS = 65536 };
enum { KEPT = 8 }; /* free slots that keep their memory: what the traffic of a moment needs again */

static struct {
	pthread_mutex_t lock;
	char *range;   /* SLOTS of address space; only what is touched costs memory */
	unsigned used; /* of the range, ever */
	unsigned n_warm, n_cold;
	unsigned warm[KEPT];
	unsigned *cold; /* in a mapping of its own */
	bool failed;
} slots = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool map_range(void)
{
	void *range, *list;

	if (slots.range || slots.failed || is_off)
		return slots.range != NULL;
	range = mmap(NULL, (size_t)SLOTS * SLOT_OCTETS, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	list = mmap(NULL, (size_t)SLOTS * sizeof *slots.cold + 1, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	slots.failed = range == MAP_FAILED || list == MAP_FAILED;
	if (slots.failed)
		return false;
	slots.range = range;
	slots.cold = list;
	return true;
}

void *slot_alloc(void)
{
	void *p = NULL;

	pthread_mutex_lock(&slots.lock);
	if (map_range()) {
		if (slots.n_warm)
			p = slots.range + (size_t)slots.warm[--slots.n_warm] * SLOT_OCTETS;
		else if (slots.n_cold)
			p = slots.range + (size_t)slots.cold[--slots.n_cold] * SLOT_OCTETS;
		else if (slots.used < SLOTS)
			p = slots.range + (size_t)slots.used++ * SLOT_OCTETS;
	}
	pthread_mutex_unlock(&slots.lock);
	return p;
}

bool slot_owns(const void *p)
{
	const char *at = p;

	return slots.range && at >= slots.range && at < slots.range + (size_t)SLOTS * SLOT_OCTETS;
}

void slot_free(void *p)
{
	unsigned number = (unsigned)((size_t)((char *)p - slots.range) / SLOT_OCTETS);

	pthread_mutex_lock(&slots.lock);
	if (slots.n_warm < KEPT) {
		slots.warm[slots.n_warm++] = number;
	} else {
		madvise(p, SLOT_OCTETS, MADV_DONTNEED);
		slots.cold[slots.n_cold++] = number;
	}
	pthread_mutex_unlock(&slots.lock);
}
