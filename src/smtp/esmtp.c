#include "smtp/esmtp.h"
#include "base/utf8.h"
#include "smtp/command.h"

enum { ENVID_MAX = 100, ORCPT_MAX = 500 }; /* octets: RFC 3461 sec. 5.4 */

static const struct esmtp_keyword keywords[EXT_COUNT] = {
	{ "PIPELINING", EXT_PIPELINING, "RFC 2920" },
	{ "SIZE", EXT_SIZE, "RFC 1870" },
	{ "VRFY", EXT_VRFY, "RFC 5321" },
	{ "ETRN", EXT_ETRN, "RFC 1985" },
	{ "STARTTLS", EXT_STARTTLS, "RFC 3207" },
	{ "AUTH", EXT_AUTH, "RFC 4954" },
	{ "ENHANCEDSTATUSCODES", EXT_ENHANCEDSTATUSCODES, "RFC 2034" },
	{ "8BITMIME", EXT_8BITMIME, "RFC 6152" },
	{ "DSN", EXT_DSN, "RFC 3461" },
	{ "SMTPUTF8", EXT_SMTPUTF8, "RFC 6531" },
	{ "CHUNKING", EXT_CHUNKING, "RFC 3030" },
};

const struct esmtp_keyword *esmtp_find(struct str keyword)
{
	for (size_t i = 0; i < EXT_COUNT; i++)
		if (str_ieq(keyword, str_c(keywords[i].keyword)))
			return &keywords[i];
	return NULL;
}

const struct esmtp_keyword *esmtp_row(enum esmtp_ext e)
{
	return &keywords[e];
}

unsigned esmtp_mask(struct str list)
{
	const struct esmtp_keyword *k;
	unsigned mask = 0;
	struct str word;

	while (str_word(&list, ", \t\r\n", &word)) {
		k = esmtp_find(word);
		if (k)
			mask |= EXT_BIT(k->ext);
	}
	return mask;
}

/* What the parameters of both commands are read into. */
struct params {
	struct mail_params *mail;
	struct rcpt_params *rcpt;
	struct arena *mem;
	unsigned offered;
	unsigned seen; /* bit i: row i of the table was there */
};

struct param_rule {
	const char *key;
	enum esmtp_ext ext;
	bool has_value;
	int (*take)(struct params *p, struct str value); /* 0 or -enum param_error */
};

/* RFC 1870 sec. 4: 1*20DIGIT */
static int take_size(struct params *p, struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if (!ascii_is_digit(value.p[i]))
			return -PARAM_ESYNTAX;
	if (value.n > 20)
		return -PARAM_ESYNTAX;
	p->mail->has_size = true;
	return str_u64(value, &p->mail->size) ? 0 : -PARAM_ESIZE;
}

/* RFC 6152 sec. 2 */
static int take_body(struct params *p, struct str value)
{
	if (str_ieq(value, STR("8BITMIME")))
		p->mail->flags |= ENV_8BIT;
	else if (!str_ieq(value, STR("7BIT")))
		return -PARAM_ESYNTAX;
	return 0;
}

/* RFC 3461 sec. 4.3 */
static int take_ret(struct params *p, struct str value)
{
	if (str_ieq(value, STR("FULL")))
		p->mail->flags |= ENV_RET_FULL;
	else if (str_ieq(value, STR("HDRS")))
		p->mail->flags |= ENV_RET_HDRS;
	else
		return -PARAM_ESYNTAX;
	return 0;
}

/* xtext that decodes to printable US-ASCII and spaces (RFC 3461 sec. 4.2 and 4.4) */
static bool is_printable_xtext(struct str x)
{
	char plain[ORCPT_MAX];
	size_t n;

	return x.n <= sizeof plain && xtext_decode(x, plain, &n) == 0 && !str_is_8bit(str_pn(plain, n));
}

/* RFC 3461 sec. 4.4 */
static int take_envid(struct params *p, struct str value)
{
	if (value.n > ENVID_MAX || !is_printable_xtext(value))
		return -PARAM_ESYNTAX;
	p->mail->envid = value;
	return 0;
}

/* RFC 4954 sec. 5: xtext, or "<>" for a sender that is not known */
static int take_auth(struct params *p, struct str value)
{
	char *plain;
	size_t n = 0;

	p->mail->has_auth = true;
	p->mail->auth = STR("");
	if (str_eq(value, STR("<>")))
		return 0;
	plain = arena_alloc(p->mem, value.n);
	if (xtext_decode(value, plain, &n) < 0 || !utf8_is_valid(str_pn(plain, n)))
		return -PARAM_ESYNTAX;
	if (n == 2 && plain[0] == '<' && plain[1] == '>')
		n = 0;
	p->mail->auth = str_pn(plain, n);
	return 0;
}

/* RFC 6531 sec. 3.4 */
static int take_smtputf8(struct params *p, struct str value)
{
	(void)value;
	p->mail->flags |= ENV_SMTPUTF8;
	return 0;
}

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

/* RFC 3461 sec. 4.1: NEVER alone, or a list of the others */
static int take_notify(struct params *p, struct str value)
{
	uint8_t all = 0, flag;
	struct str word;

	while (str_field(&value, ",", &word)) {
		flag = notify_flag(word);
		if (flag == 0 || (all & flag))
			return -PARAM_ESYNTAX;
		all |= flag;
	}
	if ((all & NOTIFY_NEVER) && all != NOTIFY_NEVER)
		return -PARAM_ESYNTAX;
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
	} else if (!is_printable_xtext(address))
		return -PARAM_ESYNTAX;
	p->rcpt->orcpt = value;
	return 0;
}

static const struct param_rule mail_rules[] = {
	{ "SIZE", EXT_SIZE, true, take_size },
	{ "BODY", EXT_8BITMIME, true, take_body },
	{ "RET", EXT_DSN, true, take_ret },
	{ "ENVID", EXT_DSN, true, take_envid },
	{ "AUTH", EXT_AUTH, true, take_auth },
	{ "SMTPUTF8", EXT_SMTPUTF8, false, take_smtputf8 },
	{ NULL, 0, false, NULL },
};

static const struct param_rule rcpt_rules[] = {
	{ "NOTIFY", EXT_DSN, true, take_notify },
	{ "ORCPT", EXT_DSN, true, take_orcpt },
	{ NULL, 0, false, NULL },
};

static int take_one(struct params *p, const struct param_rule *rules, struct str key, struct str value)
{
	for (unsigned i = 0; rules[i].key; i++) {
		if (!str_ieq(key, str_c(rules[i].key)))
			continue;
		if (!(p->offered & EXT_BIT(rules[i].ext)))
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
	return take_all(&p, mail_rules, params, bad);
}

int rcpt_params_parse(struct str params, unsigned offered, struct rcpt_params *out, struct str *bad)
{
	struct params p = { .rcpt = out, .offered = offered };

	*out = (struct rcpt_params){ 0 };
	*bad = (struct str){ 0 };
	return take_all(&p, rcpt_rules, params, bad);
}
