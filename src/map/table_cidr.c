/* cidr_table(5): networks. */
#include "map/net.h"
#include "map/rules.h"

#include <stdlib.h>

static void *cidr_compile(struct str *text, unsigned *groups, struct buf *why)
{
	struct net net, *copy;
	char shown[64];
	size_t i = 0;
	int e;

	*groups = 0;
	while (i < text->n && text->p[i] != ' ' && text->p[i] != '\t')
		i++;
	e = net_parse(str_sub(*text, 0, i), &net);
	if (e == -NET_EHOST) {
		net_text(&net, shown);
		buf_addf(why, "%.*s has bits set behind its prefix; perhaps %s is meant", (int)i, text->p, shown);
		return NULL;
	}
	if (e != 0) {
		buf_addf(why, "\"%.*s\" is neither an address nor a network such as 10.0.0.0/8", (int)i, text->p);
		return NULL;
	}
	copy = xcalloc(1, sizeof *copy);
	*copy = net;
	*text = str_from(*text, i);
	return copy;
}

static int cidr_match(
	const void *compiled, const char *key, size_t n, struct str *groups, unsigned *n_groups, struct buf *why)
{
	struct net address;

	(void)groups;
	(void)why;
	*n_groups = 0;
	if (net_parse(str_pn(key, n), &address) != 0 || address.bits != address.n * 8)
		return 0;
	return net_has(compiled, &address);
}

static const struct rule_engine engine = { cidr_compile, cidr_match, free };

static struct table *cidr_make(void)
{
	return rule_table_make(&engine);
}

static enum map_status cidr_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	struct net address;

	/* What is no address matches no rule, not even a negated one. */
	if (net_parse(key, &address) != 0 || address.bits != address.n * 8) {
		enum map_status status = rule_table_find(t, STR("0.0.0.0"), value, why);

		buf_reset(value);
		return status == MAP_TEMPORARY ? status : MAP_NOT_FOUND;
	}
	return rule_table_find(t, key, value, why);
}

const struct table_type table_cidr = { "cidr", TABLE_PATTERN | TABLE_FILE, cidr_make, cidr_find, rule_table_free, NULL,
	NULL };
