#include "deliver/delay.h"

#include <stdio.h>
#include <string.h>

const char *delay_text(uint64_t us, char *text)
{
	double s = (double)us / 1e6;
	char *end;

	if (s >= 9.95) {
		snprintf(text, 32, "%.0f", s);
		return text;
	}
	snprintf(text, 32, s >= 0.995 ? "%.1f" : "%.2f", s);
	for (end = text + strlen(text); end[-1] == '0'; end--)
		end[-1] = '\0';
	if (end[-1] == '.')
		end[-1] = '\0';
	return text;
}
