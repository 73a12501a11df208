/* envelope_internal.h - what the writer needs of the envelope's encoding besides envelope.h. */
#ifndef LOG_ENVELOPE_INTERNAL_H
#define LOG_ENVELOPE_INTERNAL_H

#include "log/envelope.h"

/* The attribute of the extents alone: an envelope encoded with none, and this behind it, is one encoded with them. */
void envelope_put_extents(struct buf *out, const struct extent *extent, size_t n);

#endif
