#include "smtp/address.h"
#include "base/utf8.h"

#include <arpa/inet.h>
#include <idn2.h>

enum { LOCAL_MAX = 64, DOMAIN_MAX = 255, LABEL_MAX = 63 }; /* octets: RFC 5321 sec. 4.5.3.1, RFC 1035 sec. 2.3.4 */

/* atext of RFC 5322 sec. 3.2.3, and UTF8-non-ascii (RFC 6531 sec. 3.3), whose well-formedness is checked before. */
static bool is_atext(char c)
{
	if (ascii_is_alnum(c) || (unsigned char)c > 127)
		return true;
	return c != '.' && c != '>' && c != '@' && c && strchr("!#$%&'*+-/=?^_`{|}~", c);
}

/* Octets of the Dot-string that s begins with; 0: there is none. */
static size_t dot_string(struct str s)
{
	size_t i = 0;

	while (i < s.n && is_atext(s.p[i])) {
		while (i < s.n && is_atext(s.p[i]))
			i++;
		if (i + 1 < s.n && s.p[i] == '.' && is_atext(s.p[i + 1]))
			i++;
	}
	return i;
}

/* Octets of the Quoted-string that s begins with, quotes included; 0: there is none. */
static size_t quoted_string(struct str s)
{
	if (s.n == 0 || s.p[0] != '"')
		return 0;
	for (size_t i = 1; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"')
			return i + 1;
		if (c == '\\') {
			i++;
			if (i == s.n || s.p[i] < 32 || s.p[i] == 127)
				return 0;
		} else if (c < 32 || c == 127)
			return 0;
	}
	return 0;
}

int address_parse(struct str path, bool utf8, struct address *out)
{
	size_t n;

	*out = (struct address){ .is_8bit = str_is_8bit(path) };
	if (out->is_8bit && (!utf8 || !utf8_is_valid(path)))
		return -ADDRESS_EUTF8;
	n = path.n && path.p[0] == '"' ? quoted_string(path) : dot_string(path);
	if (n == 0)
		return -ADDRESS_ESYNTAX;
	if (n < path.n) {
		out->domain = str_from(path, n + 1);
		out->is_literal = out->domain.n && out->domain.p[0] == '[';
		if (path.p[n] != '@' || out->domain.n == 0)
			return -ADDRESS_ESYNTAX;
		if (out->domain.n > DOMAIN_MAX)
			return -ADDRESS_ELONG;
		if (out->is_literal ? !literal_is_valid(out->domain) : !domain_is_valid(out->domain, utf8))
			return -ADDRESS_ESYNTAX;
	}
	out->local = str_sub(path, 0, n);
	return n > LOCAL_MAX ? -ADDRESS_ELONG : 0;
}

static bool label_is_valid(struct str label)
{
	if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
			return false;
	return true;
}

static bool ldh_is_valid(struct str domain)
{
	struct str label;

	if (domain.n == 0 || domain.n > DOMAIN_MAX)
		return false;
	while (str_field(&domain, ".", &label))
		if (!label_is_valid(label))
			return false;
	return true;
}

bool domain_is_valid(struct str domain, bool utf8)
{
	struct buf ascii = BUF_INIT(DOMAIN_MAX);
	bool valid;

	if (!str_is_8bit(domain))
		return ldh_is_valid(domain);
	valid = utf8 && domain_to_ascii(domain, &ascii) == 0;
	buf_free(&ascii);
	return valid;
}

/* Is s, which has no NUL, an address that inet_pton() reads? It takes neither zone, nor leading zeros in IPv4. */
static bool is_ip(int family, struct str s)
{
	unsigned char ip[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];

	if (s.n == 0 || s.n >= sizeof text || str_chr(s, '\0') >= 0)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(family, text, ip) == 1;
}

/* General-address-literal (RFC 5321 sec. 4.1.3): Ldh-str ":" 1*dcontent */
static bool general_literal(struct str s)
{
	ptrdiff_t colon = str_chr(s, ':');

	if (colon <= 0 || (size_t)colon + 1 == s.n || s.p[colon - 1] == '-')
		return false;
	for (size_t i = 0; i < (size_t)colon; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	for (size_t i = (size_t)colon + 1; i < s.n; i++)
		if (!ascii_is_graph(s.p[i]) || strchr("[\\]", s.p[i]))
			return false;
	return true;
}

bool literal_is_valid(struct str literal)
{
	struct str inside;

	if (literal.n < 3 || literal.p[0] != '[' || literal.p[literal.n - 1] != ']')
		return false;
	inside = str_sub(literal, 1, literal.n - 2);
	if (str_has_iprefix(inside, STR("IPv6:")))
		return is_ip(AF_INET6, str_from(inside, 5));
	return is_ip(AF_INET, inside) || general_literal(inside);
}

static int add_lower(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (buf_add_char(out, ascii_lower(s.p[i])) < 0)
			return -1;
	return 0;
}

/* The content of a Quoted-string, quotes and needless backslashes removed. */
static void unquote(struct str quoted, struct buf *out)
{
	for (size_t i = 1; i + 1 < quoted.n; i++) {
		if (quoted.p[i] == '\\')
			i++;
		buf_add_char(out, quoted.p[i]);
	}
}

static int add_quoted(struct buf *out, struct str plain)
{
	if (buf_add_char(out, '"') < 0)
		return -1;
	for (size_t i = 0; i < plain.n; i++) {
		if ((plain.p[i] == '"' || plain.p[i] == '\\') && buf_add_char(out, '\\') < 0)
			return -1;
		if (buf_add_char(out, plain.p[i]) < 0)
			return -1;
	}
	return buf_add_char(out, '"');
}

static int add_local(struct buf *out, struct str local)
{
	struct buf plain = BUF_INIT(local.n);
	int r;

	if (local.n == 0 || local.p[0] != '"')
		return buf_add_str(out, local);
	unquote(local, &plain);
	if (plain.n && dot_string(buf_str(&plain)) == plain.n)
		r = buf_add_str(out, buf_str(&plain));
	else
		r = add_quoted(out, buf_str(&plain));
	buf_free(&plain);
	return r;
}

int address_normalise(const struct address *a, struct buf *out)
{
	buf_reset(out);
	if (add_local(out, a->local) < 0)
		return -1;
	if (a->domain.n == 0)
		return 0;
	return buf_add_char(out, '@') < 0 || add_lower(out, a->domain) < 0 ? -1 : 0;
}

int domain_to_ascii(struct str domain, struct buf *out)
{
	char text[DOMAIN_MAX * 4 + 1];
	uint8_t *ascii;
	int r;

	buf_reset(out);
	if (!str_is_8bit(domain))
		return add_lower(out, domain);
	if (domain.n >= sizeof text || str_chr(domain, '\0') >= 0 || !utf8_is_valid(domain))
		return -1;
	memcpy(text, domain.p, domain.n);
	text[domain.n] = '\0';
	if (idn2_lookup_u8((uint8_t *)text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return -1;
	/* UTS #46 maps some characters to punctuation, such as "a/c". */
	r = ldh_is_valid(str_c((char *)ascii)) ? buf_add_c(out, (char *)ascii) : -1;
	idn2_free(ascii);
	return r;
}

static bool has_a_label(struct str domain)
{
	struct str label;

	while (str_field(&domain, ".", &label))
		if (str_has_iprefix(label, STR("xn--")))
			return true;
	return false;
}

int domain_to_unicode(struct str domain, struct buf *out)
{
	char text[DOMAIN_MAX + 1], *unicode;
	struct buf again = BUF_INIT(1024);
	bool good;

	buf_reset(out);
	if (domain.n >= sizeof text || str_chr(domain, '\0') >= 0 || str_is_8bit(domain) || !has_a_label(domain))
		return -1;
	for (size_t i = 0; i < domain.n; i++)
		text[i] = ascii_lower(domain.p[i]);
	text[domain.n] = '\0';
	if (idn2_to_unicode_8z8z(text, &unicode, IDN2_NONTRANSITIONAL) != IDN2_OK)
		return -1;
	/* What does not lead back is another domain than it looks. */
	good = str_is_8bit(str_c(unicode)) && domain_to_ascii(str_c(unicode), &again) == 0 &&
	       str_ieq(buf_str(&again), domain) && buf_add_c(out, unicode) == 0;
	idn2_free(unicode);
	buf_free(&again);
	return good ? 0 : -1;
}

/* local@ and the domain, as `convert` gives it. */
static int with_domain(struct str address, int (*convert)(struct str domain, struct buf *out), struct buf *out)
{
	ptrdiff_t at = str_rchr(address, '@');
	struct buf domain = BUF_INIT(1024);
	int r = -1;

	buf_reset(out);
	if (at >= 0 && convert(str_from(address, (size_t)at + 1), &domain) == 0)
		r = buf_add_str(out, str_sub(address, 0, (size_t)at + 1)) | buf_add_str(out, buf_str(&domain));
	buf_free(&domain);
	return r;
}

int address_to_ascii(struct str address, struct buf *out)
{
	ptrdiff_t at = str_rchr(address, '@');

	if (at < 0 || str_is_8bit(str_sub(address, 0, (size_t)at)))
		return -1;
	return with_domain(address, domain_to_ascii, out);
}

struct str address_in_ascii(struct str address, struct buf *room)
{
	return str_is_8bit(address) && address_to_ascii(address, room) == 0 ? buf_str(room) : address;
}

struct str domain_in_ascii(struct str domain, struct buf *room)
{
	return str_is_8bit(domain) && domain_to_ascii(domain, room) == 0 ? buf_str(room) : domain;
}

struct str address_made_ascii(struct arena *mem, struct str address)
{
	struct buf room = BUF_INIT(4096);
	struct str ascii = address_in_ascii(address, &room);

	if (ascii.p != address.p)
		ascii = arena_dup(mem, ascii);
	buf_free(&room);
	return ascii;
}

int address_other_form(struct str address, struct buf *out)
{
	ptrdiff_t at = str_rchr(address, '@');
	bool is_unicode = at >= 0 && str_is_8bit(str_from(address, (size_t)at));

	return with_domain(address, is_unicode ? domain_to_ascii : domain_to_unicode, out);
}
