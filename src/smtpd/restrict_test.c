#include "smtpd/test_rig.h"
#include "base/test.h"
#include "conf/restriction.h"
#include "smtpd/restrict.h"

#include <stdio.h>

#define THEM "192.0.2.1"
#define OURS "10.1.1.1"

/* With this list, what does RCPT (of DATA, when that is what is asked) say? */
static const struct {
	const char *option; /* of the service */
	const char *from, *login, *helo, *sender, *rcpt;
	const char *answer; /* its beginning */
} cases[] = {
	/* who may relay */
	{ "", THEM, NULL, "c.example", "a@b.example", "user@example.com", "250 2.1.5 Ok" },
	{ "", THEM, NULL, "c.example", "a@b.example", "x@far.example",
		"454 4.7.1 <x@far.example>: Relay access denied" },
	{ "", THEM, "john", "c.example", "a@b.example", "x@far.example", "250 2.1.5 Ok" },
	{ "", OURS, NULL, "c.example", "a@b.example", "x@far.example", "250 2.1.5 Ok" },
	{ "", OURS, NULL, "c.example", "a@b.example", "no@example.com",
		"550 5.1.1 <no@example.com>: Recipient address rejected: User unknown in virtual mailbox table" },
	{ "smtpd_relay_restrictions = reject_unauth_destination", OURS, NULL, "c.example", "a@b.example",
		"x@far.example", "554 5.7.1 <x@far.example>: Relay access denied" },
	{ "smtpd_relay_restrictions = permit_sasl_authenticated, reject", THEM, NULL, "c.example", "",
		"user@example.com", "554 5.7.1 <user@example.com>: Recipient address rejected: Access denied" },
	{ "smtpd_relay_restrictions = permit_sasl_authenticated, defer", THEM, NULL, "c.example", "",
		"user@example.com", "450 4.3.2 <user@example.com>: Recipient address rejected: Try again later" },
	/* a list that forgets the guard makes no open relay */
	{ "smtpd_relay_restrictions = warn_if_reject reject_unauth_destination, check_client_access "
	  "inline:{ 198.51.100.1=OK }, defer_if_permit",
		THEM, NULL, "c.example", "a@b.example", "x@far.example",
		"554 5.7.1 <x@far.example>: Relay access denied" },
	{ "smtpd_recipient_restrictions = permit", THEM, NULL, "c.example", "a@b.example", "x@far.example",
		"454 4.7.1" },
	{ "smtpd_reject_unlisted_recipient = no", THEM, NULL, "c.example", "a@b.example", "no@example.com",
		"250 2.1.5" },
	/* what is never delivered is not taken */
	{ "", OURS, NULL, "c.example", "a@b.example", "x@never.example",
		"550 5.7.1 <x@never.example>: Recipient address rejected: we send nothing there" },
	{ "", OURS, NULL, "c.example", "a@b.example", "x@closed.example",
		"550 5.1.1 <x@closed.example>: Recipient address rejected: closed" },
	{ "", OURS, NULL, "c.example", "a@b.example", "x@shut.example", /* its row has the command error */
		"550 5.7.1 <x@shut.example>: Recipient address rejected: we are shut" },
	{ "", THEM, NULL, "c.example", "a@b.example", "x@never.example",
		"454 4.7.1 <x@never.example>: Relay access denied" },
	{ "", THEM, NULL, "c.example", "a@b.example", "other@example.com",
		"450 4.2.1 <other@example.com>: Recipient address rejected: moving house" },
	{ "smtpd_recipient_restrictions = permit_mynetworks, reject", OURS, NULL, "c.example", "a@b.example",
		"x@closed.example", "550 5.1.1" },
	{ "smtpd_recipient_restrictions = reject_unlisted_recipient, permit", OURS, NULL, "c.example", "a@b.example",
		"x@closed.example", "550 5.1.1" },
	{ "smtpd_reject_unlisted_recipient = no", OURS, NULL, "c.example", "a@b.example", "x@closed.example",
		"250 2.1.5 Ok" },
	/* names */
	{ "smtpd_helo_restrictions = reject_non_fqdn_helo_hostname", THEM, NULL, "foo", "", "user@example.com",
		"504 5.5.2 <foo>: Helo command rejected: need fully-qualified hostname" },
	{ "smtpd_helo_restrictions = reject_non_fqdn_helo_hostname", THEM, NULL, "[192.0.2.1]", "", "user@example.com",
		"250" },
	{ "smtpd_helo_restrictions = reject_invalid_helo_hostname", THEM, NULL, "-x-.example", "", "user@example.com",
		"501 5.5.2 <-x-.example>: Helo command rejected: Invalid name" },
	{ "smtpd_sender_restrictions = reject_non_fqdn_sender", THEM, NULL, "c.example", "a@b", "user@example.com",
		"504 5.5.2 <a@b>: Sender address rejected: need fully-qualified address" },
	{ "smtpd_sender_restrictions = reject_non_fqdn_sender", THEM, NULL, "c.example", "", "user@example.com",
		"250" },
	{ "smtpd_recipient_restrictions = reject_non_fqdn_recipient", OURS, NULL, "c.example", "", "x@far",
		"504 5.5.2 <x@far>: Recipient address rejected: need fully-qualified address" },
	{ "smtpd_client_restrictions = reject_unknown_client_hostname", THEM, NULL, "c.example", "", "user@example.com",
		"450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]" },
	{ "smtpd_sender_restrictions = reject_unlisted_sender", THEM, NULL, "c.example", "no@example.com",
		"user@example.com",
		"550 5.1.0 <no@example.com>: Sender address rejected: User unknown in virtual mailbox table" },
	{ "smtpd_client_restrictions = reject_plaintext_session", THEM, NULL, "c.example", "", "user@example.com",
		"450 4.7.1 <unknown[192.0.2.1]>: Client host rejected: Session encryption is required" },
	/* tables and their actions */
	{ "smtpd_client_restrictions = check_client_access inline:{ {192.0.2 = REJECT you}}", THEM, NULL, "c.example",
		"", "user@example.com", "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: you" },
	{ "smtpd_helo_restrictions = check_helo_access inline:{ {example = 550 5.7.9 no example}}", THEM, NULL,
		"example", "", "user@example.com", "550 5.7.9 <example>: Helo command rejected: no example" },
	{ "smtpd_helo_restrictions = check_helo_access inline:{ {example = 550 5.7.9 no example}}", THEM, NULL,
		"host.example", "", "user@example.com", "550 5.7.9 <host.example>: Helo command rejected: no example" },
	{ "smtpd_sender_restrictions = check_sender_access inline:{ {b.example = 421 busy}}", THEM, NULL, "c.example",
		"a@b.example", "user@example.com", "421 4.7.1 <a@b.example>: Sender address rejected: busy" },
	{ "smtpd_sender_restrictions = check_sender_access inline:{ {<> = REJECT}}", THEM, NULL, "c.example", "",
		"user@example.com", "554 5.7.1 <>: Sender address rejected: Access denied" },
	{ "smtpd_sender_restrictions = inline:{ {a@ = permit_mynetworks, reject}}", THEM, NULL, "c.example",
		"a@b.example", "user@example.com", "554 5.7.1 <a@b.example>: Sender address rejected: Access denied" },
	{ "smtpd_sender_restrictions = inline:{ {a@ = permit_mynetworks, reject}}, reject", OURS, NULL, "c.example",
		"a@b.example", "user@example.com", "250 2.1.5 Ok" },
	{ "smtpd_sender_restrictions = check_sender_access inline:{ {a@ = DEFER_IF_PERMIT later}}", THEM, NULL,
		"c.example", "a@b.example", "user@example.com",
		"450 4.7.1 <a@b.example>: Sender address rejected: later" },
	{ "smtpd_sender_restrictions = check_sender_access inline:{ {a@ = DEFER_IF_PERMIT later}}", THEM, NULL,
		"c.example", "a@b.example", "no@example.com", "550 5.1.1" },
	{ "smtpd_recipient_restrictions = check_recipient_access inline:{ {user@example.com = DUNNO} "
	  "{example.com=REJECT}}",
		THEM, NULL, "c.example", "", "user@example.com", "250" },
	/* what is not known is an error, never skipped */
	{ "smtpd_sender_restrictions = reject_rbl_client x.example", THEM, NULL, "c.example", "", "user@example.com",
		"451 4.3.5 Server configuration error" },
	{ "smtpd_sender_restrictions = warn_if_reject nonsense", THEM, NULL, "c.example", "", "user@example.com",
		"451 4.3.5 Server configuration error" },
	{ "smtpd_sender_restrictions = check_sender_access", THEM, NULL, "c.example", "", "user@example.com",
		"451 4.3.5 Server configuration error" },
	{ "smtpd_sender_restrictions = check_sender_access inline:{ {a@ = DISCARD}}", THEM, NULL, "c.example",
		"a@b.example", "user@example.com", "451 4.3.5 Server configuration error" },
	{ "smtpd_sender_restrictions = warn_if_reject reject, permit", THEM, NULL, "c.example", "", "user@example.com",
		"250" },
	/* whose sender address it is */
	{ "smtpd_sender_restrictions = reject_sender_login_mismatch", THEM, NULL, "c.example", "john@example.com",
		"user@example.com", "553 5.7.1 <john@example.com>: Sender address rejected: not logged in" },
	{ "smtpd_sender_restrictions = reject_sender_login_mismatch", THEM, "mary", "c.example", "john@example.com",
		"user@example.com", "553 5.7.1 <john@example.com>: Sender address rejected: not owned by user mary" },
	{ "smtpd_sender_restrictions = reject_sender_login_mismatch", THEM, "john", "c.example", "john@example.com",
		"user@example.com", "250" },
	{ "smtpd_sender_restrictions = reject_sender_login_mismatch", THEM, NULL, "c.example", "a@b.example",
		"user@example.com", "250" },
	{ "smtpd_sender_restrictions = reject_authenticated_sender_login_mismatch", THEM, "john", "c.example",
		"a@b.example", "user@example.com",
		"553 5.7.1 <a@b.example>: Sender address rejected: not owned by user john" },
	{ "smtpd_sender_restrictions = reject_authenticated_sender_login_mismatch", THEM, NULL, "c.example",
		"john@example.com", "user@example.com", "250" },
	{ "smtpd_sender_restrictions = reject_known_sender_login_mismatch", THEM, "john", "c.example", "a@b.example",
		"user@example.com", "250" },
	{ "smtpd_sender_restrictions = reject_unauthenticated_sender_login_mismatch", THEM, NULL, "c.example",
		"john@example.com", "user@example.com", "553 5.7.1" },
	/* a class of restrictions */
	{ "smtpd_sender_restrictions = strict", THEM, NULL, "c.example", "a@b", "user@example.com", "504 5.5.2" },
	{ "smtpd_sender_restrictions = strict, reject", OURS, NULL, "c.example", "a@b", "user@example.com", "250" },
};
enum { N_CASES = sizeof cases / sizeof *cases };

static const char text[] = "smtpd_sender_login_maps = inline:{ john@example.com=john }\n"
			   "transport_maps = inline:{ {shut.example = shut:5.7.1 we are shut} {never.example = "
			   "error:5.7.1 we send nothing there} "
			   "{closed.example = error:closed} {other@example.com = retry:4.2.1 moving house} }\n"
			   "smtpd_restriction_classes = strict\nstrict = permit_mynetworks, reject_non_fqdn_sender\n";

static void say(int fd, struct buf *said, const char *line)
{
	buf_reset(said);
	send(fd, line, strlen(line), MSG_NOSIGNAL);
	rig_run(fd, said);
}

static void run_case(size_t i)
{
	struct buf said = BUF_INIT(65536);
	int fd = rig_connect(&smtpd.service[i], cases[i].from);
	char line[512];

	if (cases[i].login) {
		smtpd.sessions->sasl_username = xstrdup(cases[i].login);
		smtpd.sessions->sasl_method = xstrdup("PLAIN");
	}
	snprintf(line, sizeof line, "EHLO %s\r\nMAIL FROM:<%s>\r\n", cases[i].helo, cases[i].sender);
	say(fd, &said, line);
	snprintf(line, sizeof line, "RCPT TO:<%s>\r\n", cases[i].rcpt);
	say(fd, &said, line);
	check_str(str_sub(buf_str(&said), 0, strlen(cases[i].answer)), cases[i].answer);
	/* What was refused leaves no recipient behind. */
	say(fd, &said, "DATA\r\n");
	check_str(str_sub(buf_str(&said), 0, 3), cases[i].answer[0] == '2' ? "354" : "554");
	rig_close(fd);
	buf_free(&said);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		printf("%s\n", cases[i].option);
		run_case(i);
	}
}

static void test_guard(void **state)
{
	static const struct {
		const char *list;
		bool guards;
	} lists[] = { { "permit_mynetworks", false }, { "reject_unauth_destination", true }, { "defer", true },
		{ "warn_if_reject reject_unauth_destination", false }, { "permit, reject", true },
		{ "check_client_access inline:{a=reject}", false }, { "", false } };
	struct arena *mem = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		struct restriction_list l = restrictions_parse(smtpd.child.main, NULL, lists[i].list, STAGE_RELAY, mem);

		check_int(restrictions_have_guard(&l), lists[i].guards);
	}
	arena_free(&mem);
}

/* `gatepost check` knows the same names. */
static void test_names(void **state)
{
	const struct restriction_kind *kind;

	(void)state;
	for (size_t i = 0; (kind = restriction_number(i)) != NULL; i++) {
		enum restriction_sort sort = restriction_sort(str_c(kind->name));

		check_int(sort, kind->is_guard	? RESTRICTION_GUARD
				: kind->has_arg ? RESTRICTION_WITH_ARG
						: RESTRICTION_PLAIN);
	}
	check_int(restriction_sort(STR("permit_everybody")), RESTRICTION_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_guard),
		cmocka_unit_test(test_names) };
	const char *option[N_CASES];

	for (size_t i = 0; i < N_CASES; i++)
		option[i] = cases[i].option;
	rig_open(text, option, N_CASES);
	return test_run(tests);
}
