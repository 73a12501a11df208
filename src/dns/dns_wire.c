#include "dns/dns_wire.h"

enum { NAME_MAX_WIRE = 255, LABEL_MAX = 63 };

static bool is_host_label(struct str label)
{
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
			return false;
	return label.n > 0;
}

int dns_wire_name(struct str data, struct arena *mem, struct str *name)
{
	char text[NAME_MAX_WIRE + 1];
	size_t n = 0;

	*name = (struct str){ NULL, 0 };
	if (data.n > NAME_MAX_WIRE)
		return -1;
	while (data.n > 0) {
		size_t octets = (unsigned char)data.p[0];
		struct str label = str_sub(data, 1, octets);

		if (octets == 0) {
			if (data.n != 1) /* left over */
				return -1;
			*name = arena_dup(mem, str_pn(text, n));
			return 0;
		}
		if (octets > LABEL_MAX || label.n != octets || !is_host_label(label))
			return -1;
		if (n > 0)
			text[n++] = '.';
		for (size_t i = 0; i < label.n; i++) /* an answer may have the case of the question */
			text[n++] = ascii_lower(label.p[i]);
		data = str_from(data, octets + 1);
	}
	return -1; /* no root label */
}

int dns_wire_mx(struct str data, struct arena *mem, uint16_t *preference, struct str *host)
{
	*preference = 0;
	*host = (struct str){ NULL, 0 };
	if (data.n < 3)
		return -1;
	*preference = (uint16_t)((unsigned char)data.p[0] << 8 | (unsigned char)data.p[1]);
	return dns_wire_name(str_from(data, 2), mem, host);
}

bool dns_name_is_askable(struct str name)
{
	struct str label;

	if (name.n == 0 || name.n > 253)
		return false;
	while (str_field(&name, ".", &label))
		if (label.n > LABEL_MAX || !is_host_label(label))
			return false;
	return true;
}
