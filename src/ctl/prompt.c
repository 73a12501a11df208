#include "ctl/prompt.h"

#include <stdio.h>
#include <unistd.h>

void prompt_begin(struct prompt *p, const char *text)
{
	struct termios quiet;

	p->is_terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &p->was) == 0;
	if (!p->is_terminal)
		return;
	fputs(text, stderr);
	quiet = p->was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
}

void prompt_end(const struct prompt *p)
{
	if (!p->is_terminal)
		return;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &p->was);
	fputc('\n', stderr);
}
