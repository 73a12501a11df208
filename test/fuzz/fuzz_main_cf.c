/* main.cf (conf/conf.h): whatever it holds, it is read or refused with a reason; an edit leaves the rest as it was. */
#include "base/log.h"
#include "conf/conf_impl.h"
#include "conf/edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Set a name that was not there: the new text has it, and every other name keeps its value. */
static void try_edit(const struct conf *c, struct str text)
{
	struct edit e = { STR("zz_fuzz"), STR("value"), 0 };
	struct buf out = BUF_INIT(1024 * 1024), errors = BUF_INIT(1024 * 1024);
	struct conf *after;

	require(edit_main_cf(text, EDIT_SET, &e, 1, &out) == 0);
	after = conf_parse("/etc/x", buf_str(&out), STR(""), &errors, NULL);
	require(after);
	require(strcmp(conf_lookup(conf_main(after), "zz_fuzz"), "value") == 0);
	for (size_t i = 0; i < c->main.n; i++) {
		const struct dict_entry *now = dict_find(&after->main, c->main.entries[i].name);

		require(now && (str_eq(now->name, e.name) || str_eq(now->value, c->main.entries[i].value)));
	}
	conf_free(&after);
	buf_free(&out);
	buf_free(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf errors = BUF_INIT(1024 * 1024), warnings = BUF_INIT(1024 * 1024);
	struct str text = str_pn(p, n);
	struct conf *c =
		conf_parse("/etc/x", text, STR("smtp inet n - - - - smtpd -o relayhost=x\n"), &errors, &warnings);

	require(c || errors.n);
	require(errors.n == 0 || errors.p[errors.n - 1] == '\n');
	if (c) {
		const struct param *const *rows;
		size_t n_rows = params_all(&rows);

		for (size_t i = 0; i < n_rows; i++)
			conf_str(conf_main(c), rows[i]->name);
		try_edit(c, text);
	}
	if (c)
		conf_free(&c);
	buf_free(&errors);
	buf_free(&warnings);
	return 0;
}
