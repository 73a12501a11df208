/*
 * What a user types, and what lies in maildrop: a message is composed (ctl/compose.h) and made a submission
 * (ctl/submit.h), which is whole; the octets themselves are asked whether they are one.
 */
#include "base/log.h"
#include "ctl/compose.h"
#include "ctl/header_addr.h"
#include "ctl/submit.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void try_addresses(struct str rcpts)
{
	struct str line;

	while (str_word(&rcpts, "\n", &line))
		header_addr_has_domain(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf content = BUF_INIT(1 << 24), text = BUF_INIT(1 << 24);
	struct compose c = { .origin = STR("example1.com"),
		.sender = STR("user1@example1.com"),
		.full_name = STR("User1"),
		.extract = n > 0 && (p[0] & 1),
		.rcpts = BUF_INIT(1 << 24) };

	submit_is_whole(str_pn(p, n));
	compose(&c, str_pn(p, n), &content);
	try_addresses(buf_str(&c.rcpts));
	buf_add_c(&text, "MAIL FROM:<>\r\nRCPT TO:<user1@example1.com>\r\nDATA\r\n");
	submit_content(&text, buf_str(&content));
	require(submit_is_whole(buf_str(&text)));
	buf_free(&c.rcpts);
	buf_free(&content);
	buf_free(&text);
	return 0;
}
