/* prompt.h - ask for a line of standard input that a terminal does not show while it is typed. */
#ifndef CTL_PROMPT_H
#define CTL_PROMPT_H

#include <stdbool.h>
#include <termios.h>

struct prompt {
	bool is_terminal; /* else nobody is asked, and nothing is changed */
	struct termios was;
};

/* Where a terminal is standard input: the text on stderr, and no echo. Then the line is read, and prompt_end() has the echo back. */
void prompt_begin(struct prompt *p, const char *text);
void prompt_end(const struct prompt *p);

#endif
