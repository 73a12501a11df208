#include "base/random.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

void random_octets(void *p, size_t n)
{
	if (getrandom(p, n, 0) != (ssize_t)n)
		panic("the kernel gives no random octets: %s", strerror(errno));
}
