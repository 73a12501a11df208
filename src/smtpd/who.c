/* Who is logged in, for `gatepost auth who`: what the sessions themselves know, so that nothing is left of one that ended. */
#include "smtpd/smtpd.h"
#include "base/json.h"

#include <unistd.h>

enum { NAME_SHOWN_MAX = 1024, ROW_MAX = 16384 };

static void put_row(const struct session *s, struct buf *out)
{
	struct tls_info tls = { .protocol = NULL };

	if (s->tls)
		tls_info(s->tls, &tls);
	buf_add_c(out, "{\"kind\":\"session\",\"user\":");
	json_put(out, str_sub(str_c(s->sasl_username), 0, NAME_SHOWN_MAX));
	buf_add_c(out, ",\"address\":");
	json_put(out, str_c(s->addr));
	buf_addf(out, ",\"port\":%u,\"service\":", (unsigned)s->port);
	json_put(out, str_c(s->service->row->name));
	buf_addf(out, ",\"since\":%lld,\"tls\":", (long long)s->login_time);
	json_put(out, str_c(s->tls && tls.protocol ? tls.protocol : ""));
	buf_add_c(out, ",\"mechanism\":");
	json_put(out, str_c(s->sasl_method));
	buf_addf(out, ",\"messages\":%u,\"pid\":%d}", s->messages, (int)getpid());
}

void who_tell_sessions(struct child *c)
{
	struct buf row = BUF_INIT(ROW_MAX);

	for (const struct session *s = smtpd.sessions; s; s = s->next) {
		if (s->login_time == 0)
			continue; /* not yet, while its limits are looked up */
		buf_reset(&row);
		put_row(s, &row);
		child_tell_row(c, buf_str(&row));
	}
	buf_free(&row);
}
