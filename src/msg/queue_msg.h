/*
 * queue_msg.h - smtpd and queued. What crosses after a 250 is only "segment g is committed up to offset o"; queued reads
 * the COMMIT records from the log itself, so a lost or repeated notice does no harm.
 */
#ifndef MSG_QUEUE_MSG_H
#define MSG_QUEUE_MSG_H

enum queue_msg {
	/* smtpd -> queued */
	MSG_SEG_WANT = 1,      /* (empty) lend me one more segment */
	MSG_SEG_COMMITTED = 2, /* u64 generation, u64 offset: all before offset is flushed; read it */
	MSG_SEG_END = 3,       /* u64 generation, u64 offset, u8 failed: I shall not write to it any more */
	MSG_FLUSH = 4,	       /* u32 request, str domain (ETRN, RFC 1985); "" is everything */
	/* queued -> smtpd */
	MSG_SEG_LEND = 32, /* u64 generation, u64 size in octets; 1 fd, read-write: append from SEG_HEADER_OCTETS on */
	MSG_FLUSH_ANSWER = 33, /* u32 request, u16 SMTP code of RFC 1985: 250 251 252 253 458 459, u32 messages */
	MSG_INTAKE = 34	       /* u8 flags of enum intake: sent when it changes and at the beginning */
};

enum intake {
	INTAKE_LOW_SPACE = 1, /* queue_minfree: answer MAIL with 452 4.3.1 */
	INTAKE_BEHIND = 2     /* queued falls behind: answer MAIL with 451 4.3.2 until it is cleared */
};

#endif
