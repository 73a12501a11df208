/* delay.h - the numbers of a log line's "delay=" and "delays=". */
#ifndef DELIVER_DELAY_H
#define DELIVER_DELAY_H

#include <stdint.h>

/* Microseconds as seconds with two digits that count, as Postfix shows them. `text` has 32 octets. Returns text. */
const char *delay_text(uint64_t us, char *text);

#endif
