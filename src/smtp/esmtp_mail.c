#include "base/utf8.h"
#include "smtp/command.h"
#include "smtp/datetime.h"
#include "smtp/esmtp_own.h"

/* The parameters of MAIL, each with what reads and what writes its value. */

enum { ENVID_MAX = 100 /* octets: RFC 3461 sec. 5.4 */, SOLICIT_MAX = 1000 };

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

/* RFC 6152 sec. 2, RFC 3030 sec. 3 */
static int take_body(struct params *p, struct str value)
{
	if (str_ieq(value, STR("8BITMIME")))
		p->mail->flags |= ENV_8BIT;
	else if (str_ieq(value, STR("BINARYMIME")) && (p->offered & EXT_BIT(EXT_BINARYMIME)))
		p->mail->flags |= ENV_8BIT | ENV_BINARY;
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

/* RFC 3461 sec. 4.4 */
static int take_envid(struct params *p, struct str value)
{
	if (value.n > ENVID_MAX || !esmtp_is_printable_xtext(value))
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

static bool put_size(struct buf *out, const struct params *p)
{
	buf_addf(out, "%llu", (unsigned long long)p->mail->size);
	return p->mail->has_size;
}

static bool put_body(struct buf *out, const struct params *p)
{
	bool binary = (p->mail->flags & ENV_BINARY) && (p->offered & EXT_BIT(EXT_BINARYMIME));

	buf_add_c(out, binary ? "BINARYMIME" : "8BITMIME");
	return p->mail->flags & ENV_8BIT;
}

static bool put_ret(struct buf *out, const struct params *p)
{
	buf_add_c(out, p->mail->flags & ENV_RET_FULL ? "FULL" : "HDRS");
	return p->mail->flags & (ENV_RET_FULL | ENV_RET_HDRS);
}

static bool put_envid(struct buf *out, const struct params *p)
{
	buf_add_str(out, p->mail->envid);
	return p->mail->envid.n > 0;
}

static bool put_auth(struct buf *out, const struct params *p)
{
	if (p->mail->auth.n > 0)
		xtext_encode(out, p->mail->auth);
	else
		buf_add_c(out, "<>");
	return p->mail->has_auth;
}

static bool put_smtputf8(struct buf *out, const struct params *p)
{
	(void)out;
	return p->mail->flags & ENV_SMTPUTF8;
}

/* RFC 3865 sec. 2.2: words of letters, digits and ".-_:", each beginning with a letter, 1000 octets in all */
bool solicit_is_valid(struct str words)
{
	struct str rest = words, word;

	if (words.n == 0 || words.n > SOLICIT_MAX)
		return false;
	while (str_field(&rest, ",", &word)) {
		if (word.n == 0 || !ascii_is_alpha(word.p[0]))
			return false;
		for (size_t i = 0; i < word.n; i++)
			if (!ascii_is_alnum(word.p[i]) && str_chr(STR(".-_:"), word.p[i]) < 0)
				return false;
	}
	return true;
}

static int take_solicit(struct params *p, struct str value)
{
	p->mail->solicit = value;
	return solicit_is_valid(value) ? 0 : -PARAM_ESYNTAX;
}

static bool put_solicit(struct buf *out, const struct params *p)
{
	buf_add_str(out, p->mail->solicit);
	return p->mail->solicit.n > 0;
}

/* RFC 6710 sec. 3: "-" and 1 to 9, or 0 to 9 */
static int take_priority(struct params *p, struct str value)
{
	bool negative = value.n == 2 && value.p[0] == '-';
	struct str digit = negative ? str_from(value, 1) : value;

	if (digit.n != 1 || !ascii_is_digit(digit.p[0]) || (negative && digit.p[0] == '0'))
		return -PARAM_ESYNTAX;
	p->mail->has_priority = true;
	p->mail->priority = negative ? '0' - digit.p[0] : digit.p[0] - '0';
	return 0;
}

static bool put_priority(struct buf *out, const struct params *p)
{
	buf_addf(out, "%d", p->mail->priority);
	return p->mail->has_priority;
}

/* RFC 2852 sec. 4: 1*9DIGIT with a sign, ";", R or N, T. To return what is late already makes no sense. */
static int take_by(struct params *p, struct str value)
{
	ptrdiff_t semicolon = str_chr(value, ';');
	struct str time = str_sub(value, 0, semicolon < 0 ? 0 : (size_t)semicolon);
	struct str mode = str_from(value, (size_t)(semicolon + 1));
	bool negative = time.n > 0 && time.p[0] == '-', trace = str_has_isuffix(mode, STR("T"));
	uint64_t seconds;

	if (negative || (time.n > 0 && time.p[0] == '+'))
		time = str_from(time, 1);
	if (trace)
		mode.n--;
	if (time.n == 0 || time.n > 9 || !str_u64(time, &seconds))
		return -PARAM_ESYNTAX;
	p->mail->has_by = true;
	p->mail->by_s = negative ? -(int64_t)seconds : (int64_t)seconds;
	if (str_ieq(mode, STR("N")))
		p->mail->flags |= ENV_BY_NOTIFY;
	else if (str_ieq(mode, STR("R")) && p->mail->by_s > 0)
		p->mail->flags |= ENV_BY_RETURN;
	else
		return -PARAM_ESYNTAX;
	p->mail->flags |= trace ? (unsigned)ENV_BY_TRACE : 0;
	return 0;
}

static bool put_by(struct buf *out, const struct params *p)
{
	int64_t s = p->mail->by_s, most = 999999999;

	s = s > most ? most : s < -most ? -most : s;
	buf_addf(out, "%lld;%c%s", (long long)s, p->mail->flags & ENV_BY_RETURN ? 'R' : 'N',
		p->mail->flags & ENV_BY_TRACE ? "T" : "");
	return p->mail->has_by;
}

/* RFC 4865 sec. 3 and 4: one of the two, once; 1 to 999999999, without leading zeros */
static int take_hold_for(struct params *p, struct str value)
{
	if (value.n > 9 || value.p[0] == '0' || p->mail->hold_until_s || !str_u64(value, &p->mail->hold_for_s))
		return -PARAM_ESYNTAX;
	return 0;
}

static int take_hold_until(struct params *p, struct str value)
{
	int64_t until;

	if (p->mail->hold_for_s || datetime_parse(value, &until) < 0)
		return -PARAM_ESYNTAX;
	p->mail->hold_until_s = until > 0 ? (uint64_t)until : 1; /* 0 is for what is not given */
	return 0;
}

static bool put_nothing(struct buf *out, const struct params *p)
{
	(void)out;
	(void)p;
	return false; /* it has been held here */
}

/* RFC 8689 sec. 2 */
static int take_requiretls(struct params *p, struct str value)
{
	(void)value;
	p->mail->flags |= ENV_REQUIRETLS;
	return 0;
}

static bool put_requiretls(struct buf *out, const struct params *p)
{
	(void)out;
	return p->mail->flags & ENV_REQUIRETLS;
}

const struct param_rule esmtp_mail_rules[] = {
	{ "SIZE", EXT_BIT(EXT_SIZE), true, take_size, put_size },
	{ "BODY", EXT_BIT(EXT_8BITMIME) | EXT_BIT(EXT_BINARYMIME), true, take_body, put_body },
	{ "SMTPUTF8", EXT_BIT(EXT_SMTPUTF8), false, take_smtputf8, put_smtputf8 },
	{ "RET", EXT_BIT(EXT_DSN), true, take_ret, put_ret },
	{ "ENVID", EXT_BIT(EXT_DSN), true, take_envid, put_envid },
	{ "AUTH", EXT_BIT(EXT_AUTH), true, take_auth, put_auth },
	{ "SOLICIT", EXT_BIT(EXT_NO_SOLICITING), true, take_solicit, put_solicit },
	{ "MT-PRIORITY", EXT_BIT(EXT_MT_PRIORITY), true, take_priority, put_priority },
	{ "BY", EXT_BIT(EXT_DELIVERBY), true, take_by, put_by },
	{ "HOLDFOR", EXT_BIT(EXT_FUTURERELEASE), true, take_hold_for, put_nothing },
	{ "HOLDUNTIL", EXT_BIT(EXT_FUTURERELEASE), true, take_hold_until, put_nothing },
	{ "REQUIRETLS", EXT_BIT(EXT_REQUIRETLS), false, take_requiretls, put_requiretls },
	{ NULL, 0, false, NULL, NULL },
};
