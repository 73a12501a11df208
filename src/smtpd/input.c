/*
 * What a session does with what its client says: cut lines and content off the input, run them, count what they cost.
 */
#include "smtpd/smtpd.h"

enum {
	SKIPPED_MAX = 1024 * 1024 /* octets of a line that are dropped before the session is */
};

static void count_command(struct session *s, enum outcome r)
{
	if (r == R_MORE || r == R_WAIT || s->counted)
		return;
	s->counted = true;
	if (s->last_code < 400)
		s->count[s->verb].ok++;
	else
		s->errors++;
}

static enum outcome after_sleep(struct session *s)
{
	return s->question->after_sleep;
}

static enum outcome look_for_segment(struct session *s);

/*
 * Mail comes faster than queued makes segments, or queued is being started anew: the client waits, before its message
 * fails. Looked for again and again, which is rare enough; in the end it does fail. `in` is what the client says.
 */
static bool waits_for_segment(struct session *s, struct str in)
{
	enum { LOOK_AGAIN_MS = 20, LOOKS_MAX = 250 };
	bool is_mail = s->tx == NULL && s->mode == MODE_COMMAND && str_has_iprefix(in, STR("MAIL"));

	if (!(s->tx ? spool_msg_waits(&s->tx->msg) : is_mail && !spool_writer_is_ready(smtpd.writer))) {
		s->looks = 0;
		return false;
	}
	if (s->looks >= LOOKS_MAX)
		return false;
	s->looks++;
	question_new(s, ASK_SLEEP, look_for_segment);
	session_deadline(s, LOOK_AGAIN_MS);
	return true;
}

static enum outcome look_for_segment(struct session *s)
{
	question_end(s);
	return s->tx && waits_for_segment(s, STR("")) ? R_WAIT : R_MORE;
}

/* smtpd_error_sleep_time: the answer to a client that makes many errors leaves late. */
static enum outcome delay_errors(struct session *s, enum outcome r)
{
	if (r != R_DONE || s->last_code < 400 || s->errors <= s->service->soft_errors ||
		s->service->error_sleep_ms == 0)
		return r;
	question_new(s, ASK_SLEEP, after_sleep)->after_sleep = r;
	session_deadline(s, s->service->error_sleep_ms);
	return R_WAIT;
}

static bool too_many_errors(struct session *s)
{
	if (s->errors < s->service->hard_errors)
		return false;
	reply_host(s, 421, "4.7.0", "Error: too many errors");
	log_info("too many errors after %s from %s", state_name(s), client_text(s));
	return true;
}

static enum outcome bad_line(struct session *s, struct str line, int r)
{
	bool in_auth = s->mode == MODE_AUTH;

	auth_drop(s);
	s->mode = MODE_COMMAND;
	s->verb = VERB_NONE;
	s->counted = false;
	s->count[VERB_NONE].total++;
	if (!in_auth && rules_is_foreign(s, line))
		return R_CLOSE;
	if (r == -SMTP_ELONG && in_auth)
		replyf(s, 500, "5.5.6", "Error: authentication exchange line is too long"); /* RFC 4954 sec. 4 */
	else if (r == -SMTP_ELONG)
		reply(s, REPLY_LINE_TOO_LONG);
	else
		reply(s, r == -SMTP_ELF ? REPLY_BARE_LF : r == -SMTP_EBARE ? REPLY_BARE_CR : REPLY_NUL);
	if (r != -SMTP_ELF)
		return R_DONE;
	log_info("NOQUEUE: reject: bare <LF> received after %s from %s", state_name(s), client_text(s));
	return R_CLOSE;
}

static size_t line_max(const struct session *s, struct str in)
{
	return s->mode == MODE_AUTH || str_has_iprefix(in, STR("AUTH")) ? SMTP_AUTH_MAX : SMTP_COMMAND_MAX;
}

/* Its one error has been told. */
static enum outcome endless_line(struct session *s)
{
	log_info("endless line after %s from %s", state_name(s), client_text(s));
	reply_host(s, 421, "4.7.0", "Error: line too long");
	return R_CLOSE;
}

static enum outcome line_input(struct session *s, struct str in, size_t *used)
{
	struct str line = { NULL, 0 };
	int r = smtp_line_next(&s->line_reader, in, line_max(s, in), used, &line);

	s->skipped = s->line_reader.skipping ? s->skipped + *used : 0;
	if (s->skipped > SKIPPED_MAX)
		return endless_line(s);
	if (r == 0) {
		bool binary = *used == 0 && s->mode == MODE_COMMAND && (unsigned char)in.p[0] < ' ' && in.p[0] != '\r';

		/* The beginning of a TLS handshake, for example: its client waits, and so would we. */
		return binary && rules_is_foreign(s, in) ? R_CLOSE : R_MORE;
	}
	if (r > 0 && s->name_query && s->mode == MODE_COMMAND && rules_needs_name(line)) {
		*used = (size_t)(line.p - in.p); /* before it: the rest of an overlong line, which never comes again */
		if (!s->waits_for_name)
			session_deadline(s, NAME_WAIT_MS);
		s->waits_for_name = true;
		return R_WAIT; /* on_name() pumps again */
	}
	s->more_input = *used < in.n;
	if (r < 0)
		return bad_line(s, str_sub(in, 0, *used), r);
	return s->mode == MODE_AUTH ? auth_line(s, line) : rules_run(s, line);
}

static enum outcome handle_input(struct session *s, struct str in, size_t *used)
{
	if (s->mode == MODE_DATA)
		return data_input(s, in, used);
	if (s->mode == MODE_BDAT)
		return bdat_input(s, in, used);
	return line_input(s, in, used);
}

bool session_settle(struct session *s, enum outcome r)
{
	/* Content belongs to a transaction, or is dropped. */
	require(s->tx || (s->mode != MODE_DATA && (s->mode != MODE_BDAT || s->chunk_skip)));
	count_command(s, r);
	if (r == R_DONE && too_many_errors(s))
		r = R_CLOSE;
	r = delay_errors(s, r);
	if (r == R_CLOSE) {
		reply_let_go(s);
		s->after_flush = FLUSH_CLOSE;
	} else if (r == R_DONE) {
		session_deadline(s, s->service->timeout_ms);
	}
	return r != R_WAIT && r != R_CLOSE && s->after_flush == FLUSH_NOTHING;
}

size_t session_consume(struct session *s, struct str in)
{
	size_t done = 0, used;
	enum outcome r;

	while (s->question == NULL && !s->greeting_due && s->after_flush == FLUSH_NOTHING &&
		(done < in.n || s->mode == MODE_BDAT)) {
		if (s->out.n > OUTPUT_MAX / 2)
			break; /* a client that does not read its replies */
		if (s->tx == NULL && waits_for_segment(s, str_from(in, done)))
			break;
		used = 0;
		r = handle_input(s, str_from(in, done), &used);
		done += used;
		if (r == R_MORE && s->tx && waits_for_segment(s, STR("")))
			r = R_WAIT;
		if (!session_settle(s, r) || (r == R_MORE && used == 0))
			break;
	}
	return done;
}
