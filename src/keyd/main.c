/*
 * keyd - holds the private keys of TLS, and signs with them for smtpd, which has none: who takes an smtpd over can be this
 * server as long as he is there, and takes no key away.
 *
 * Runs as key_owner, chrooted to an empty folder. Jail: no file, no network, no socket but its channels; its memory is
 * never written to swap where that is permitted, and is dumped nowhere. It gets the keys from master when it
 * starts, and others never: when certificates change another keyd starts. Peers: master (descriptor 3), smtpd (asker.c
 * has what it may ask). One for each smtpd, which may ask its neighbour's too. man/keyd.8 is the manual.
 */
#include "keyd/keyd.h"
#include "base/jail.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STACK_OCTETS = 256 * 1024, HEAP_OCTETS = 1024 * 1024, HEAP_OCTETS_PER_KEY = 8 * 1024 };

static struct keyd keyd;

static void on_peer(struct child *c, enum role role, unsigned index, int fd)
{
	(void)c;
	asker_open(&keyd, role, index, fd);
}

static void on_status(struct child *c, struct buf *json)
{
	(void)c;
	buf_addf(json, "\"keys\":%zu,\"signed\":%llu,\"refused\":%llu,\"askers\":%u,\"memory_locked\":%s", keyd.keys.n,
		(unsigned long long)keyd.signed_, (unsigned long long)keyd.refused, keyd.askers,
		keyd.locked ? "true" : "false");
}

static void take_store(int fd)
{
	struct buf error = BUF_INIT(4096);
	struct stat st;
	void *p;

	if (fstat(fd, &st) != 0)
		fatal("cannot read the private keys that master passed: %s", strerror(errno));
	if (st.st_size > 0) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			fatal("cannot read the private keys that master passed: %s", strerror(errno));
		if (keys_add(&keyd.keys, str_pn(p, (size_t)st.st_size), &error) != 0)
			fatal("%s", error.p);
		munmap(p, (size_t)st.st_size);
	}
	close(fd);
	buf_free(&error);
}

/* Stack that is there before it is locked: what is locked grows no more when the limit is 0. */
__attribute__((noinline)) static void grow_stack(void)
{
	char pages[STACK_OCTETS];

	mem_wipe(pages, sizeof pages);
}

/*
 * All that is there when the keys are is never written to swap, with room in the heap for what they are used with; of an
 * ordinary user, whose limit is low, the heap at least.
 */
static void lock_memory(const char *heap)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const char *from = heap - (uintptr_t)heap % page;
	void *volatile room; /* else the compiler sees that nobody needs it */

	grow_stack();
	room = malloc(HEAP_OCTETS + (keyd.keys.n < KEYS_READ ? keyd.keys.n : KEYS_READ) * HEAP_OCTETS_PER_KEY);
	free(room);
#ifdef ASAN /* its shadow is larger than any memory */
	(void)from;
#else
	keyd.locked = mlockall(MCL_CURRENT | MCL_ONFAULT) == 0 || mlock(from, (size_t)((char *)sbrk(0) - from)) == 0;
#endif
}

int main(void)
{
	static const char empty[] = "empty"; /* below queue_directory, where child_begin() went */
	const char *heap = sbrk(0), *jail;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* One heap, nothing beside it, nothing of it given back. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	keyd.child = (struct child){ .role = ROLE_KEYD, .on_peer = on_peer, .on_status = on_status };
	child_begin(&keyd.child);
	for (unsigned i = 0; i < keyd.child.n_store; i++)
		take_store(keyd.child.store_fd[i]);
	keys_seal(&keyd.keys);
	lock_memory(heap);
	jail = jail_enter(&(struct jail){ .role = JAIL_KEYD,
		.root = keyd.child.root,
		.uid = keyd.child.uid,
		.gid = keyd.child.gid,
		.chroot_dir = empty });
	child_ready(&keyd.child, jail);
	child_run(&keyd.child);
	keys_free(&keyd.keys);
	return 0;
}
