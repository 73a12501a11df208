/* Fields that are about the client of a login: of which certificate it is, and what a proxy before it passes on. */
#include "authd/login.h"

#include "auth/auth_proto.h"
#include "authd/fields.h"

/* Hexadecimal, in either case, with or without colons. */
static bool is_same_print(struct str a, struct str b)
{
	size_t i = 0, k = 0, n = 0;

	for (;;) {
		while (i < a.n && a.p[i] == ':')
			i++;
		while (k < b.n && b.p[k] == ':')
			k++;
		if (i == a.n || k == b.n)
			return i == a.n && k == b.n && n > 0;
		if (ascii_lower(a.p[i++]) != ascii_lower(b.p[k++]))
			return false;
		n++;
	}
}

const char *client_print_check(const struct login *l, const struct sql_row *row)
{
	struct str either = fields_get(row, "check_client_fp"), cert = fields_get(row, "check_client_cert_fp"),
		   key = fields_get(row, "check_client_pubkey_fp");
	/* What a proxy has seen of a certificate is not ours to believe: without TLS there is none. */
	bool is_tls = l->vars.secured.n > 0;

	if (row && sql_field_find(row, "check_client_fp") &&
		!(is_tls && (is_same_print(either, l->cert_print) || is_same_print(either, l->key_print))))
		return "check_client_fp check failed";
	if (row && sql_field_find(row, "check_client_cert_fp") && !(is_tls && is_same_print(cert, l->cert_print)))
		return "check_client_cert_fp check failed";
	if (row && sql_field_find(row, "check_client_pubkey_fp") && !(is_tls && is_same_print(key, l->key_print)))
		return "check_client_pubkey_fp check failed";
	return NULL;
}

/* "a=b\tc=d", each escaped, and the whole once more: "forward_a=b" … in the answer. */
void client_forward_fields(const struct login *l, struct buf *out)
{
	struct str rest = l->forward, field;

	while (l->forward.n && auth_field(&rest, &field)) {
		size_t before = out->n;

		if (field.n && (buf_add_c(out, "\tforward_") < 0 || buf_add_str(out, field) < 0))
			out->n = before;
	}
}

void client_original_user(const struct login *l, struct buf *out)
{
	if (l->vars.orig_user.n && !l->vars.auth_user.n && !str_eq(l->vars.orig_user, l->vars.user))
		auth_add_field(out, "original_user=", l->vars.orig_user);
}
