/* Dovecot's configuration syntax, with sections and flat. The even first octet is flat. */
#include "base/log.h"
#include "conf/dovecot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct dovecot_node *n, unsigned depth)
{
	size_t count = 0;

	require(depth < 32);
	for (; n; n = n->next) {
		require(n->key && n->value && n->file);
		count += 1 + walk(n->child, depth + 1);
	}
	return count;
}

/* No file of this machine is to be read for the fuzzer's pleasure. */
static bool reaches_out(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '!')
			return true;
		if (s.p[i] != '<')
			continue;
		if (++i == s.n || s.p[i] != '<') /* "<<END" names no file */
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf errors = BUF_INIT(1024 * 1024);
	struct str text = str_from(str_pn(data, size), 1);
	struct dovecot_conf *c;

	if (size == 0 || reaches_out(text))
		return 0;
	c = data[0] % 2 ? dovecot_parse("fuzz", text, &errors) : dovecot_parse_flat("fuzz", text, &errors);
	walk(c->first, 0);
	dovecot_value(c->first, "connect", "");
	dovecot_free(&c);
	buf_free(&errors);
	return 0;
}
