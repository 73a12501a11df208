#include "smtp/esmtp.h"

static const struct esmtp_keyword keywords[EXT_COUNT] = {
	{ "PIPELINING", EXT_PIPELINING, "RFC 2920", WHEN_ALWAYS, PASS_NOT, "", "",
		"Commands may be sent without waiting for the replies. Sent to a next hop in the same way." },
	{ "SIZE", EXT_SIZE, "RFC 1870", WHEN_ALWAYS, PASS_RETURNED, "SIZE=octets", "",
		"With message_size_limit. Mail that is larger than what a next hop announces is returned with 5.3.4." },
	{ "VRFY", EXT_VRFY, "RFC 5321", WHEN_ALWAYS, PASS_NOT, "", "",
		"Hidden by disable_vrfy_command. Who is neither logged in nor in mynetworks gets 252 for every "
		"address." },
	{ "ETRN", EXT_ETRN, "RFC 1985", WHEN_ALWAYS, PASS_NOT, "", "", "For the domains of fast_flush_domains." },
	{ "STARTTLS", EXT_STARTTLS, "RFC 3207", WHEN_CLEAR, PASS_NOT, "", "",
		"Where TLS is configured. A next hop is asked for it as its TLS level says." },
	{ "AUTH", EXT_AUTH, "RFC 4954", WHEN_ALWAYS, PASS_KNOWN, "AUTH=xtext", "",
		"With the mechanisms that may be used now; the line is left out while there is none. The parameter is "
		"kept "
		"of clients that are logged in or in mynetworks, and goes to a next hop where we have logged in." },
	{ "XCLIENT", EXT_XCLIENT, "Postfix", WHEN_ALWAYS, PASS_NOT, "", "",
		"For the clients of smtpd_authorized_xclient_hosts, with the attributes that may follow it: another "
		"client "
		"speaks now, and the session begins again." },
	{ "XFORWARD", EXT_XFORWARD, "Postfix", WHEN_ALWAYS, PASS_NOT, "", "",
		"For the clients of smtpd_authorized_xforward_hosts: who sent the next message to them, for the log "
		"and the "
		"envelope. Sent to a next hop that offers it with smtp_send_xforward_command." },
	{ "ENHANCEDSTATUSCODES", EXT_ENHANCEDSTATUSCODES, "RFC 2034", WHEN_ALWAYS, PASS_NOT, "", "", "" },
	{ "8BITMIME", EXT_8BITMIME, "RFC 6152", WHEN_ALWAYS, PASS_KNOWN, "BODY=7BIT BODY=8BITMIME", "",
		"Content with octets over 127 counts as 8BITMIME also without the parameter." },
	{ "DSN", EXT_DSN, "RFC 3461", WHEN_ALWAYS, PASS_KNOWN, "RET=FULL RET=HDRS ENVID=xtext",
		"NOTIFY=words ORCPT=type;xtext",
		"For a next hop without it the reports that were asked for are made here: success is then told as "
		"\"relayed\"." },
	{ "SMTPUTF8", EXT_SMTPUTF8, "RFC 6531", WHEN_ALWAYS, PASS_RETURNED, "SMTPUTF8", "",
		"With smtputf8_enable. For a next hop that does not announce it, domains go with A-labels (IDNA); mail "
		"whose "
		"header or local parts need it is returned with 5.6.7, and headers of its parts are converted. Domains "
		"of ours are known with U-labels and "
		"with "
		"A-labels, however they are written in main.cf." },
	{ "BINARYMIME", EXT_BINARYMIME, "RFC 3030", WHEN_ALWAYS, PASS_CONVERTED, "BODY=BINARYMIME", "",
		"Where CHUNKING is offered too. Such content comes by BDAT alone and is kept octet for octet; lines of "
		"its "
		"header end in CR LF as ever." },
	{ "LIMITS", EXT_LIMITS, "RFC 9422", WHEN_ALWAYS, PASS_NOT, "", "",
		"RCPTMAX is smtpd_recipient_limit; MAILMAX is smtpd_session_message_limit, and RCPTDOMAINMAX "
		"smtpd_session_domain_limit, each when it is set. What is over a limit is answered with 452 4.5.3. The "
		"limits of a next hop are kept: recipients go in several transactions, or over several connections." },
	{ "HELP", EXT_HELP, "RFC 5321", WHEN_ALWAYS, PASS_NOT, "", "",
		"HELP lists the commands, HELP command its syntax." },
	{ "EXPN", EXT_EXPN, "RFC 5321", WHEN_OURS, PASS_NOT, "", "",
		"Names the addresses that an alias stands for. Hidden by disable_vrfy_command. To all others every "
		"EXPN is "
		"502." },
	{ "NO-SOLICITING", EXT_NO_SOLICITING, "RFC 3865", WHEN_ALWAYS, PASS_KNOWN, "SOLICIT=keywords", "",
		"With the keywords of smtpd_no_soliciting_keywords. Mail that names one of them, by the parameter or "
		"in its field Solicitation, is refused with 550 5.7.1, which says the keyword. What the field says "
		"goes "
		"on as the parameter where the client gave none." },
	{ "RRVS", EXT_RRVS, "RFC 7293", WHEN_ALWAYS, PASS_RETURNED, "",
		"RRVS=date-time RRVS=date-time;C RRVS=date-time;R",
		"Where smtpd_rrvs_maps says since when a mailbox has its owner (a column of the users' database, in "
		"what "
		"gatepost init makes). A mailbox that is younger is refused with 550 5.7.17, one of which the tables "
		"say "
		"nothing with 550 5.7.19. The field Require-Recipient-Valid-Since of the header counts for recipients "
		"without the parameter. With ;C a next hop without RRVS gets it as that field, each recipient in a "
		"transaction of its own; otherwise the mail is returned with 5.7.19. Role accounts (postmaster, abuse "
		"and others of RFC 2142) have no owner that changes: for them it counts for nothing." },
	{ "MT-PRIORITY", EXT_MT_PRIORITY, "RFC 6710", WHEN_ALWAYS, PASS_KNOWN, "MT-PRIORITY=number", "",
		"From -9 to 9. Only clients that are logged in or in mynetworks may ask for more than 0: for others it "
		"becomes "
		"0, and the reply to the message says so with 2.3.6. Mail of a higher priority goes first to its "
		"destination; each level is worth a minute of waiting, so that none waits for ever. The Received field "
		"shows it." },
	{ "DELIVERBY", EXT_DELIVERBY, "RFC 2852", WHEN_ALWAYS, PASS_RETURNED, "BY=seconds;R BY=seconds;N BY=seconds;NT",
		"",
		"With R what is not delivered in time is returned with 5.4.7, and with 5.3.3 where a next hop does not "
		"announce it. With N the sender gets a report on the delay then, and on success where the mail goes to "
		"a next hop that does not announce it, which is asked for a report on delays (DSN). With T the sender "
		"also gets a report from each hop." },
	{ "FUTURERELEASE", EXT_FUTURERELEASE, "RFC 4865", WHEN_SUBMISSION, PASS_NOT,
		"HOLDFOR=seconds HOLDUNTIL=date-time", "",
		"No later than smtpd_future_release_limit from now, nor than BY; 0 hides it. The mail waits here until "
		"then, also when the queue is flushed, and its lifetime begins then. Reports on it say until when it "
		"was to wait." },
	{ "REQUIRETLS", EXT_REQUIRETLS, "RFC 8689", WHEN_TLS, PASS_RETURNED, "REQUIRETLS", "",
		"Such mail goes on only under TLS with a certificate that is verified, at the level secure where "
		"smtp_tls_security_level and smtp_tls_policy_maps ask for less than verify. Without that it is "
		"returned "
		"with 5.7.10, and with 5.7.30 where a next hop does not announce REQUIRETLS. Reports on it return its "
		"header only, and require the same but for the announcement. The field TLS-Required: No counts for "
		"nothing beside the parameter; "
		"without it, it gives up what the recipient's domain asks for, and no level that "
		"smtp_tls_security_level or "
		"smtp_tls_policy_maps set." },
	{ "CHUNKING", EXT_CHUNKING, "RFC 3030", WHEN_ALWAYS, PASS_NOT, "", "", "BDAT." },
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
		if (str_ieq(word, STR("all")))
			mask = EXT_BIT(EXT_COUNT) - 1;
		k = esmtp_find(word);
		if (k)
			mask |= EXT_BIT(k->ext);
	}
	return mask;
}

unsigned esmtp_consistent(unsigned have)
{
	if (!(have & EXT_BIT(EXT_CHUNKING)))
		have &= ~EXT_BIT(EXT_BINARYMIME);
	return have;
}

bool esmtp_is_for(const struct esmtp_keyword *k, bool tls, bool submission, bool ours)
{
	switch (k->when) {
	case WHEN_CLEAR:
		return !tls;
	case WHEN_TLS:
		return tls;
	case WHEN_SUBMISSION:
		return submission;
	case WHEN_OURS:
		return ours;
	case WHEN_ALWAYS:
		break;
	}
	return true;
}
