/* libcurl copies what it sends, tokens and passwords among it: its memory is overwritten before it is given back. */
#include "fetchd/fetchd.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void wiping_free(void *p)
{
	if (p)
		mem_wipe(p, malloc_usable_size(p));
	free(p);
}

static void *wiping_realloc(void *p, size_t n)
{
	size_t old = p ? malloc_usable_size(p) : 0;
	void *fresh = malloc(n);

	if (fresh == NULL)
		return NULL;
	if (old)
		memcpy(fresh, p, old < n ? old : n);
	wiping_free(p);
	return fresh;
}

bool memory_take_curl(void)
{
	return curl_global_init_mem(CURL_GLOBAL_ALL, malloc, wiping_free, wiping_realloc, strdup, calloc) == CURLE_OK;
}
