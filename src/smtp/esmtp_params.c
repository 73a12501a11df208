#include "base/utf8.h"
#include "smtp/command.h"
#include "smtp/esmtp_own.h"

bool esmtp_is_printable_xtext(struct str x)
{
	char plain[500];
	size_t n;

	return x.n <= sizeof plain && xtext_decode(x, plain, &n) == 0 && !str_is_8bit(str_pn(plain, n));
}

static int take_one(struct params *p, const struct param_rule *rules, struct str key, struct str value)
{
	for (unsigned i = 0; rules[i].key; i++) {
		if (!str_ieq(key, str_c(rules[i].key)))
			continue;
		if (!(p->offered & rules[i].ext))
			return -PARAM_EUNKNOWN;
		if ((p->seen & (1u << i)) || rules[i].has_value != (value.p != NULL))
			return -PARAM_ESYNTAX;
		p->seen |= 1u << i;
		return rules[i].take(p, value);
	}
	return -PARAM_EUNKNOWN;
}

static int take_all(struct params *p, const struct param_rule *rules, struct str params, struct str *bad)
{
	struct str key, value, before = params;
	int r;

	while ((r = smtp_param_next(&params, &key, &value)) != 0) {
		str_word(&before, " \t", bad);
		r = r < 0 ? -PARAM_ESYNTAX : take_one(p, rules, key, value);
		if (r < 0)
			return r;
		before = params;
	}
	*bad = (struct str){ 0 };
	return 0;
}

int mail_params_parse(struct str params, unsigned offered, struct arena *mem, struct mail_params *out, struct str *bad)
{
	struct params p = { .mail = out, .mem = mem, .offered = offered };

	*out = (struct mail_params){ 0 };
	*bad = (struct str){ 0 };
	return take_all(&p, esmtp_mail_rules, params, bad);
}

int rcpt_params_parse(struct str params, unsigned offered, struct rcpt_params *out, struct str *bad)
{
	struct params p = { .rcpt = out, .offered = offered };

	*out = (struct rcpt_params){ 0 };
	*bad = (struct str){ 0 };
	return take_all(&p, esmtp_rcpt_rules, params, bad);
}

static void put_all(struct buf *out, const struct param_rule *rules, const struct params *p)
{
	struct buf value = BUF_INIT(4096);

	for (unsigned i = 0; rules[i].key; i++) {
		buf_reset(&value);
		if (!(p->offered & rules[i].ext) || !rules[i].put(&value, p))
			continue;
		buf_addf(out, " %s%s", rules[i].key, rules[i].has_value ? "=" : "");
		buf_add_str(out, buf_str(&value));
	}
	buf_free(&value);
}

void mail_params_put(struct buf *out, const struct mail_params *p, unsigned offered)
{
	struct mail_params values = *p;
	struct params all = { .mail = &values, .offered = offered };

	put_all(out, esmtp_mail_rules, &all);
}

void rcpt_params_put(struct buf *out, const struct rcpt_params *p, unsigned offered)
{
	struct rcpt_params values = *p;
	struct params all = { .rcpt = &values, .offered = offered };

	put_all(out, esmtp_rcpt_rules, &all);
}
