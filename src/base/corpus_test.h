/* corpus_test.h - vectors of other programs for the units: JSON below corpora/ of GATEPOST_SHARED (../shared). */
#ifndef BASE_CORPUS_TEST_H
#define BASE_CORPUS_TEST_H

#include "base/test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* The list in that file, to be freed by the caller. Without the file the test is skipped. */
static inline json_t *corpus_load(const char *name)
{
	const char *dir = getenv("GATEPOST_SHARED");
	char path[512];
	json_t *all;

	snprintf(path, sizeof path, "%s/corpora/%s", dir ? dir : "../shared", name);
	all = json_load_file(path, JSON_ALLOW_NUL, NULL);
	if (all == NULL) {
		printf("skipped: no %s\n", path);
		skip();
	}
	return all;
}

/* A vector's "header", up to where the field ends: a line end with no blank behind it. */
static inline struct str corpus_field(const json_t *vector)
{
	struct str text = str_c(json_string_value(json_object_get(vector, "header")));

	for (size_t i = 0; i + 1 < text.n; i++)
		if (text.p[i] == '\n' && text.p[i + 1] != ' ' && text.p[i + 1] != '\t')
			return str_sub(text, 0, i);
	return text;
}

#endif
