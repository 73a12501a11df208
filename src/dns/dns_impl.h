/*
 * dns_impl.h - between dns.c, which keeps the questions under way, and dns_answer.c, which asks libunbound for each record
 * type and makes an answer of what comes.
 */
#ifndef DNS_DNS_IMPL_H
#define DNS_DNS_IMPL_H

#include "dns/dns.h"
#include "dns/hosts.h"

struct ub_ctx;

enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_MX = 15, TYPE_AAAA = 28, CLASS_IN = 1 };
enum { ANSWERS_MAX = 64 /* records of one answer that are used */ };
enum kind { ASK_MX, ASK_ADDR, ASK_NAME, ASK_FORWARD };

/* One record type asked of libunbound. */
struct part {
	struct question *question;
	int type;
	int id;
	bool waiting;
};

struct question {
	struct dns *dns;
	struct dns_query *query;
	enum kind kind;
	struct part part[2];
	bool ready;	/* answered, to be told from the loop */
	bool temporary; /* a part failed so that asking again makes sense */
	uint64_t deadline_ms;
	struct question *next, **at;  /* in dns.first, by deadline */
	struct str name;	      /* in query->mem */
	struct sockaddr_storage addr; /* ASK_NAME */
	struct sockaddr_storage found[2][ANSWERS_MAX];
	size_t n_found[2]; /* [0] IPv4, [1] IPv6 */
};

struct dns {
	uv_loop_t *loop;
	struct ub_ctx *ub; /* NULL: libunbound could not be set up */
	struct hosts *hosts;
	uv_poll_t poll;
	uv_timer_t timer; /* the first deadline, or now when a question is ready */
	uint64_t timeout_ms;
	struct question *first, **last;
	unsigned open_handles, n_ready;
};

/*
 * Ask libunbound for records of `type` of a name, as part i (0 or 1) of the question; the answer ends the question when it
 * was the last part. When libunbound takes no question the part is not `waiting`, and s->temporary is set.
 */
void dns_ask_part(struct question *s, size_t i, const char *name, int type);
/* Put what was found into the answer, in the order of use. */
void dns_give_addresses(struct question *s);
/* Set status and why. `no_name`: the name does not exist; else it has no record of this type. Neither tells the owner. */
void dns_fail_temporary(struct question *s, int type);
void dns_fail_not_found(struct question *s, int type, bool no_name);

/* The answer is complete: tell it. The question is freed before its owner hears of it. */
void dns_tell(struct question *s);

#endif
