#include "authd/mask.h"

bool mask_matches(struct str mask, struct str s)
{
	size_t m = 0, i = 0, star = SIZE_MAX, from = 0;

	while (i < s.n) {
		if (m < mask.n && mask.p[m] == '*') {
			star = m++;
			from = i;
		} else if (m < mask.n && (mask.p[m] == '?' || ascii_lower(mask.p[m]) == ascii_lower(s.p[i]))) {
			m++;
			i++;
		} else if (star != SIZE_MAX) {
			m = star + 1;
			i = ++from;
		} else {
			return false;
		}
	}
	while (m < mask.n && mask.p[m] == '*')
		m++;
	return m == mask.n;
}
