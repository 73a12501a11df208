/* params_gatepost.c - the table of parameters: Gatepost's own. */
#include "conf/params.h"

static const struct param rows[] = {
	P_STRING("auth_conf_file", "$config_directory/auth.conf", ACTS,
		"Configuration of authd in Dovecot's syntax; authd runs when this file exists"),
	P_STRING("auth_owner", "gatepost-auth", ACTS, "User that authd runs as"),
	P_STRING("key_owner", "gatepost-key", ACTS, "User that keyd runs as"),
	P_STRING("map_owner", "gatepost-map", ACTS, "User that mapd runs as"),
	P_STRING("queue_owner", "gatepost-queue", ACTS, "User that queued runs as"),
	P_STRING("relay_owner", "gatepost-relay", ACTS, "User that relay runs as"),
	P_INT("relay_processes", "0", 0, 1024, ACTS, "Processes that send mail on; 0 means one per processor core"),
	P_INT("smtpd_client_auth_failure_rate_limit", "60", 0, 0, ACTS,
		"Failed logins of one client in anvil_rate_time_unit, after which it may try no more; 0 means no "
		"limit"),
	P_LIST("smtpd_clear_ehlo_keywords",
		"pipelining, size, vrfy, etrn, starttls, auth, xclient, xforward, enhancedstatuscodes, 8bitmime, dsn, "
		"smtputf8, chunking",
		ACTS,
		"EHLO keywords that are offered without TLS; \"all\" names every one, and those that need TLS stay "
		"hidden"),
	P_INT("smtpd_processes", "0", 0, 1024, ACTS,
		"Processes that serve SMTP sessions; 0 means one per processor core"),
	P_BOOL("smtpd_tls_key_process", "yes", ACTS,
		"Private keys of TLS are in processes of their own that sign, keyd(8), and not in those that read the "
		"network; of main.cf only"),
	P_INT("smtpd_session_domain_limit", "0", 0, 1000000, ACTS,
		"Different domains of recipients that a session may have; 0 means no limit"),
	P_INT("smtpd_session_message_limit", "0", 0, 0, ACTS, "Messages that a session may send; 0 means no limit"),
	P_LIST("smtpd_sasl_limit_exceptions", "", ACTS,
		"Users without these limits: their names, and @domain for all of a domain"),
	P_LIST("smtpd_sasl_limit_maps", "", ACTS,
		"Tables of users with limits of their own, by name and by @domain: messages=N recipients=N sessions=N, "
		"or "
		"unlimited"),
	P_INT("smtpd_sasl_message_rate_limit", "0", 0, 0, ACTS,
		"MAIL commands of one user who is logged in, in smtpd_sasl_rate_time_unit, wherever it comes from; 0 "
		"means no "
		"limit"),
	P_TIME("smtpd_sasl_rate_time_unit", "1h", 's', 1, 0, ACTS,
		"The time, up to now, of which messages and recipients of a user count; one for all services"),
	P_INT("smtpd_sasl_recipient_rate_limit", "0", 0, 0, ACTS,
		"RCPT commands of one user who is logged in, in smtpd_sasl_rate_time_unit; 0 means no limit"),
	P_INT("smtpd_sasl_session_limit", "0", 0, 0, ACTS,
		"Sessions in which one user is logged in at a time; 0 means no limit"),
	P_TIME("smtpd_future_release_limit", "30d", 's', 0, 999999999, ACTS,
		"How far in the future a client may ask for its mail to be sent (FUTURERELEASE); 0 turns that off"),
	P_LIST("smtpd_no_soliciting_keywords", "", ACTS,
		"Classes of solicitations (RFC 3865) that are refused, such as net.example:ADV"),
	P_LIST("smtpd_rrvs_maps", "", ACTS,
		"Tables that say since when a mailbox has its owner (RFC 7293): seconds since 1970 or date-time of RFC "
		"3339"),
	P_INT("smtpd_client_unknown_recipient_rate_limit", "100", 0, 0, ACTS,
		"RCPT commands for addresses of ours that do not exist, of one client that is a stranger in "
		"anvil_rate_time_unit, after which it hears of none; 0 means no limit"),
	P_LIST("smtpd_vrfy_name_maps", "", ACTS,
		"Tables that give the full name of an address, for the answer to VRFY"),
};

const struct param_group params_gatepost = { rows, sizeof(rows) / sizeof(rows[0]) };
