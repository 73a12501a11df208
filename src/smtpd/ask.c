/* The questions to mapd and to DNS, and how their answers come back to the session. */
#include "smtpd/smtpd.h"

static void on_map(struct map_request *r)
{
	session_answer(container_of(r, struct question, map)->session);
}

static void on_dns(struct dns_query *q)
{
	session_answer(container_of(q, struct question, dns)->session);
}

void ask_rcpt(struct question *q, struct str address)
{
	q->map.on_answer = on_map;
	map_rcpt(smtpd.map, &q->map, address);
}

void ask_route(struct question *q, struct str address, struct str sender)
{
	q->map.on_answer = on_map;
	map_route(smtpd.map, &q->map, address, sender);
}

void ask_map(struct question *q, struct str tables, struct str key, enum map_how how)
{
	q->map.on_answer = on_map;
	map_lookup(smtpd.map, &q->map, tables, key, how);
}

void ask_mx(struct question *q, struct str domain)
{
	q->dns.on_answer = on_dns;
	dns_ask_mx(smtpd.dns, &q->dns, domain);
}

void ask_addr(struct question *q, struct str host)
{
	q->dns.on_answer = on_dns;
	dns_ask_addr(smtpd.dns, &q->dns, host, true, true);
}
