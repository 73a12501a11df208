/* BDAT (RFC 3030): chunks of exactly so many octets, refused ones too. */
#include "smtpd/smtpd.h"

enum {
	SKIP_AT_MOST = 64 * 1024 * 1024, /* octets of a refused chunk that are read only to stay in step */
	SMALL_CHUNK = 512		 /* a chunk under this that is not the last counts as a junk command */
};

/* "BDAT 1*20DIGIT [LAST]" (sec. 2) */
static bool parse_chunk(struct str arg, uint64_t *octets, bool *last)
{
	struct str count, word, rest = arg;

	if (!str_word(&rest, " ", &count) || !str_u64(count, octets))
		return false;
	*last = str_word(&rest, " ", &word);
	return !*last || (str_ieq(word, STR("LAST")) && !str_word(&rest, " ", &word));
}

/* Its answer is there, and leaves when all of its octets have been read and dropped (sec. 2). */
static enum outcome skip_chunk(struct session *s)
{
	if (s->chunk_octets > SKIP_AT_MOST)
		return R_CLOSE;
	reply_hold(s);
	s->chunk_skip = true;
	s->mode = MODE_BDAT;
	return R_MORE;
}

/* The whole sequence has failed (sec. 2), and the transaction with it: chunks that follow find none, and are skipped. */
static enum outcome fail_sequence(struct session *s)
{
	transaction_end(s);
	return skip_chunk(s);
}

static enum outcome first_told(struct session *s, bool taken)
{
	struct transaction *t = s->tx;

	if (!taken)
		return fail_sequence(s);
	t->in_chunks = true;
	bdat_scan_init(&t->scan);
	t->scan.normalize = s->normalize;
	message_begin(s);
	s->mode = MODE_BDAT;
	return R_MORE;
}

static enum outcome first_checked(struct session *s, bool taken)
{
	return taken ? milter_tell(s, MILTER_DATA, first_told) : first_told(s, false);
}

static bool is_too_big(const struct session *s)
{
	uint64_t limit = s->service->size_limit, before = s->tx->in_chunks ? s->tx->scan.content : 0;

	return limit && (s->chunk_octets > limit || before + s->chunk_octets > limit);
}

enum outcome do_bdat(struct session *s, struct str arg)
{
	struct transaction *t = s->tx;

	if (!parse_chunk(arg, &s->chunk_octets, &s->chunk_last)) {
		reply(s, REPLY_BDAT_SYNTAX); /* how many octets follow is not known: no way to go on */
		return R_CLOSE;
	}
	s->chunk_left = s->chunk_octets;
	s->chunk_skip = false;
	session_deadline(s, s->service->timeout_ms);
	if (s->chunk_octets < SMALL_CHUNK && !s->chunk_last && s->junk++ >= s->service->junk_limit)
		s->errors++;
	if (s->bdat_refusal != REPLY_OK || t == NULL || t->n_accepted == 0) {
		reply(s, s->bdat_refusal != REPLY_OK ? s->bdat_refusal : t ? REPLY_NO_VALID_RCPTS : REPLY_NEED_RCPT);
		return t && s->bdat_refusal == REPLY_OK ? fail_sequence(s) : skip_chunk(s);
	}
	if (is_too_big(s)) {
		reply_reject(s, 552, "5.3.4", "Message size exceeds fixed limit", false);
		return fail_sequence(s);
	}
	if (!t->in_chunks)
		return restrict_begin(s, STAGE_BIT(STAGE_DATA), first_checked);
	s->mode = MODE_BDAT;
	return R_MORE;
}

static enum outcome chunk_end(struct session *s)
{
	s->mode = MODE_COMMAND;
	if (s->chunk_skip) {
		reply_let_go(s);
		return R_DONE;
	}
	if (s->chunk_last)
		return message_finish(s);
	replyf(s, 250, "2.0.0", "Ok: %llu bytes", (unsigned long long)s->chunk_octets);
	return R_DONE;
}

enum outcome bdat_input(struct session *s, struct str in, size_t *used)
{
	struct str part = str_sub(in, 0, s->chunk_left < in.n ? (size_t)s->chunk_left : in.n);

	*used = part.n;
	s->chunk_left -= part.n;
	if (!s->chunk_skip && (part.n || s->chunk_last)) {
		buf_reset(&smtpd.scratch);
		if (s->tx->params.flags & ENV_BINARY)
			binary_scan(&s->tx->scan, part, &smtpd.scratch);
		else
			bdat_scan(&s->tx->scan, part, s->chunk_last && s->chunk_left == 0, &smtpd.scratch);
		message_add(s, buf_str(&smtpd.scratch));
	}
	return s->chunk_left ? R_MORE : chunk_end(s);
}
