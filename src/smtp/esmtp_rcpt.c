#include "base/utf8.h"
#include "smtp/command.h"
#include "smtp/datetime.h"
#include "smtp/esmtp_own.h"

/* The parameters of RCPT, each with what reads and what writes its value. */

enum { ORCPT_MAX = 500 }; /* octets: RFC 3461 sec. 5.4 */

static uint8_t notify_flag(struct str word)
{
	static const struct {
		const char *word;
		uint8_t flag;
	} words[] = {
		{ "NEVER", NOTIFY_NEVER },
		{ "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE },
		{ "DELAY", NOTIFY_DELAY },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (str_ieq(word, str_c(words[i].word)))
			return words[i].flag;
	return 0;
}

/* RFC 3461 sec. 4.1: NEVER alone, or a list of the others, in which a word may come again. */
static int take_notify(struct params *p, struct str value)
{
	uint8_t all = 0, flag;
	struct str word;

	while (str_field(&value, ",", &word)) {
		flag = notify_flag(word);
		if (flag == 0 || (all && ((all | flag) & NOTIFY_NEVER)))
			return -PARAM_ESYNTAX;
		all |= flag;
	}
	p->rcpt->notify = all;
	return 0;
}

static bool is_addr_type(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	return s.n > 0;
}

/* utf-8-addr-unitext (RFC 6533 sec. 3), allowed where SMTPUTF8 is. */
static bool is_unitext(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '+')
			return false;
	return utf8_is_valid(s);
}

/* RFC 3461 sec. 4.2, RFC 6533 sec. 3: addr-type ";" xtext */
static int take_orcpt(struct params *p, struct str value)
{
	ptrdiff_t semicolon = str_chr(value, ';');
	struct str type, address;

	if (semicolon < 0 || value.n > ORCPT_MAX)
		return -PARAM_ESYNTAX;
	type = str_sub(value, 0, (size_t)semicolon);
	address = str_from(value, (size_t)semicolon + 1);
	if (!is_addr_type(type) || address.n == 0)
		return -PARAM_ESYNTAX;
	if (str_is_8bit(address)) {
		if (!str_ieq(type, STR("utf-8")) || !(p->offered & EXT_BIT(EXT_SMTPUTF8)) || !is_unitext(address))
			return -PARAM_ESYNTAX;
	} else if (!esmtp_is_printable_xtext(address))
		return -PARAM_ESYNTAX;
	p->rcpt->orcpt = value;
	return 0;
}

static bool put_notify(struct buf *out, const struct params *p)
{
	static const struct {
		uint8_t bit;
		const char *word;
	} words[] = { { NOTIFY_SUCCESS, "SUCCESS" }, { NOTIFY_FAILURE, "FAILURE" }, { NOTIFY_DELAY, "DELAY" } };
	uint8_t notify = p->rcpt->notify;

	if (notify & NOTIFY_NEVER)
		buf_add_c(out, "NEVER");
	for (size_t i = 0; i < sizeof words / sizeof *words && !(notify & NOTIFY_NEVER); i++)
		if (notify & words[i].bit)
			buf_addf(out, "%s%s", out->n ? "," : "", words[i].word);
	return out->n > 0;
}

static bool put_orcpt(struct buf *out, const struct params *p)
{
	buf_add_str(out, p->rcpt->orcpt);
	return p->rcpt->orcpt.n > 0;
}

/* RFC 7293 sec. 3.1: date-time of RFC 3339, ";C" (continue) or ";R" (reject, which is what it means without) */
static int take_rrvs(struct params *p, struct str value)
{
	ptrdiff_t semicolon = str_chr(value, ';');
	struct str action = semicolon < 0 ? STR("R") : str_from(value, (size_t)semicolon + 1);
	int64_t since;

	/* without a fraction of a second */
	if (str_chr(value, '.') >= 0 ||
		datetime_parse(semicolon < 0 ? value : str_sub(value, 0, (size_t)semicolon), &since) < 0)
		return -PARAM_ESYNTAX;
	if (!str_ieq(action, STR("C")) && !str_ieq(action, STR("R")))
		return -PARAM_ESYNTAX;
	p->rcpt->valid_since = since > 0 ? (uint64_t)since : 1; /* 0 is for what is not given */
	p->rcpt->since_may_end = str_ieq(action, STR("C"));
	return 0;
}

static bool put_rrvs(struct buf *out, const struct params *p)
{
	datetime_put(out, (int64_t)p->rcpt->valid_since);
	buf_add_c(out, p->rcpt->since_may_end ? ";C" : ";R");
	return p->rcpt->valid_since > 0;
}

const struct param_rule esmtp_rcpt_rules[] = {
	{ "NOTIFY", EXT_BIT(EXT_DSN), true, take_notify, put_notify },
	{ "ORCPT", EXT_BIT(EXT_DSN), true, take_orcpt, put_orcpt },
	{ "RRVS", EXT_BIT(EXT_RRVS), true, take_rrvs, put_rrvs },
	{ NULL, 0, false, NULL, NULL },
};
