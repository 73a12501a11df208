#include "map/resolve.h"
#include "base/test.h"

#include <stdlib.h>

static const struct resolve_settings base = {
	.myhostname = "mx.example.net",
	.mydomain = "example.net",
	.myorigin = "example.net",
	.mydestination = "mx.example.net, localhost, example.net",
	.inet_interfaces = "192.0.2.1, [2001:db8::1]",
	.proxy_interfaces = "",
	.virtual_alias_domains = "alias.example",
	.virtual_mailbox_domains = "inline:{ {box.example=x}, {box2.example=x} }, box3.example",
	.relay_domains = "relay.example",
	.virtual_alias_maps = "inline:{"
			      "{info@alias.example = a@box.example, b@box.example},"
			      "{list@alias.example = info@alias.example c@box.example},"
			      "{one@alias.example = two@alias.example}, {two@alias.example = one@alias.example},"
			      "{self@alias.example = self@alias.example, copy@box.example},"
			      "{@old.example = @box.example}, {@all.example = catch@box.example},"
			      "{bare@alias.example = joe},"
			      "{abuse = abuse@box.example},"
			      "{ext+tag@alias.example = exact@box.example}, {ext@alias.example = base@box.example},"
			      "{named@alias.example = Joe Doe <joe@box.example>, \"a b\"@box.example},"
			      "{dup@alias.example = a@box.example, A@box.example a@BOX.example},"
			      "{up@alias.example = Mixed@Box.Example},"
			      "{self1@alias.example = self2@alias.example, self1@alias.example},"
			      "{self2@alias.example = self1@alias.example}"
			      "}",
	.alias_maps =
		"inline:{ {root = admin@box.example}, {ops = root, joe}, {pipe = |/bin/cat}, {file = /var/x},"
		"{inc = :include:/x}, {quoted = \"|/bin/cat x\"}, {stop = \\stop}, {loop1 = loop2}, {loop2 = loop1} }",
	.local_recipient_maps = "inline:{ joe=x, root=x, ops=x, pipe=x, file=x, inc=x, quoted=x, stop=x, loop1=x }",
	.virtual_mailbox_maps = "inline:{ {a@box.example=a/}, {b@box.example=b/}, {@box2.example=all/} }",
	.relay_recipient_maps = "",
	.transport_maps = "inline:{ {t1.example=smtp:[10.0.0.1]:2525}, {.t1.example=:[10.0.0.2]}, {t2.example=relay:},"
			  "{t3.example=:}, {user@t1.example=lmtp:unix:private/x}, {t4.example=error:closed},"
			  "{t5.example=error:} }",
	.sender_dependent_relayhost_maps =
		"inline:{ {s@send.example=[10.1.1.1]:587}, {@dunno.example=DUNNO}, {<>=[10.9.9.9]} }",
	.sender_dependent_default_transport_maps = "inline:{ {@slow.example=slow:}, {@fix.example=smtp:[10.2.2.2]} }",
	.local_transport = "local:$myhostname",
	.virtual_transport = "lmtp:unix:private/dovecot-lmtp",
	.relay_transport = "relay",
	.default_transport = "smtp",
	.relayhost = "[smart.example]:587",
	.recipient_delimiter = "+",
	.propagate_unmatched_extensions = "canonical, virtual",
	.parent_domain_matches_subdomains = "relay_domains,smtpd_access_maps",
	.empty_address_relayhost_maps_lookup_key = "<>",
	.empty_address_default_transport_maps_lookup_key = "<>",
	.virtual_alias_recursion_limit = 1000,
	.virtual_alias_expansion_limit = 1000,
};

struct fixture {
	struct resolve_settings settings;
	struct table_set *tables;
	struct resolver *r;
	struct arena *mem;
};

static struct fixture set_up(const struct resolve_settings *s)
{
	struct fixture f = { .settings = *s };

	f.settings.local_transport = "local:mx.example.net";
	f.tables = table_set_new(TABLES_ALL, "");
	f.mem = arena_new(0);
	f.r = resolver_new(&f.settings, f.tables);
	return f;
}

static void tear_down(struct fixture *f)
{
	resolver_free(&f->r);
	table_set_free(&f->tables);
	arena_free(&f->mem);
}

/* What an answer says, in one line: "class exists? a, b" */
static struct str rcpt_text(struct fixture *f, const char *address)
{
	static const char *const class[] = { "none", "local", "valias", "vmailbox", "relay", "default" };
	struct map_answer a;
	char *text;

	resolve_rcpt(f->r, str_c(address), f->mem, &a);
	if (a.status != MAP_FOUND)
		return str_c(arena_printf(f->mem, "status %d: %.*s", (int)a.status, STR_ARG(a.why)));
	text = arena_printf(f->mem, "%s %s", class[a.class],
		a.alias_loop ? "loop"
		: a.exists   ? "yes"
			     : map_unknown_text(a.class));
	for (size_t i = 0; i < a.n_expanded && !a.alias_loop && a.exists; i++)
		text = arena_printf(f->mem, "%s%s%.*s", text, i ? "," : " ", STR_ARG(a.expanded[i]));
	return str_c(text);
}

static void test_rcpt(void **state)
{
	static const struct {
		const char *address, *want;
	} cases[] = {
		/* classes */
		{ "x@elsewhere.example", "default yes x@elsewhere.example" },
		{ "X@ELSEWHERE.example", "default yes X@elsewhere.example" },
		{ "x@elsewhere.example.", "default yes x@elsewhere.example" },
		{ "joe@example.net", "local yes joe@example.net" },
		{ "joe@localhost", "local yes joe@localhost" },
		{ "joe", "local yes joe@example.net" },
		{ "JOE@Example.Net", "local yes JOE@example.net" },
		{ "joe@[192.0.2.1]", "local yes joe@[192.0.2.1]" },
		{ "joe@[IPv6:2001:db8::1]", "local yes joe@[ipv6:2001:db8::1]" },
		{ "joe@[192.0.2.2]", "default yes joe@[192.0.2.2]" },
		{ "nobody@example.net", "local User unknown in local recipient table" },
		{ "x@sub.example.net", "default yes x@sub.example.net" },
		{ "x@alias.example", "valias User unknown in virtual alias table" },
		{ "a@box.example", "vmailbox yes a@box.example" },
		{ "A@BOX.EXAMPLE", "vmailbox yes A@box.example" },
		{ "z@box.example", "vmailbox User unknown in virtual mailbox table" },
		{ "anyone@box2.example", "vmailbox yes anyone@box2.example" },
		{ "a@box3.example", "vmailbox User unknown in virtual mailbox table" },
		{ "x@relay.example", "relay yes x@relay.example" },
		{ "x@sub.relay.example", "relay yes x@sub.relay.example" },
		{ "x@notrelay.example", "default yes x@notrelay.example" },
		{ "postmaster", "local yes postmaster@example.net" },
		{ "Postmaster", "local yes Postmaster@example.net" },
		/* extensions */
		{ "a+ext@box.example", "vmailbox yes a+ext@box.example" },
		{ "joe+ext@example.net", "local yes joe+ext@example.net" },
		{ "+ext@box.example", "vmailbox User unknown in virtual mailbox table" },
		{ "ext+tag@alias.example", "valias yes exact@box.example" },
		{ "ext+other@alias.example", "valias yes base+other@box.example" },
		{ "info+x@alias.example", "valias yes a+x@box.example,b+x@box.example" },
		/* aliases */
		{ "info@alias.example", "valias yes a@box.example,b@box.example" },
		{ "INFO@alias.example", "valias yes a@box.example,b@box.example" },
		{ "list@alias.example", "valias yes a@box.example,b@box.example,c@box.example" },
		{ "one@alias.example", "valias loop" },
		{ "self@alias.example", "valias yes self@alias.example,copy@box.example" },
		{ "self1@alias.example", "valias yes self1@alias.example" },
		{ "u@old.example", "default yes u@box.example" },
		{ "u+e@old.example", "default yes u+e@box.example" },
		{ "u@all.example", "default yes catch@box.example" },
		{ "u+e@all.example", "default yes catch+e@box.example" },
		{ "bare@alias.example", "valias yes joe@example.net" },
		{ "abuse@example.net", "local yes abuse@box.example" },
		{ "abuse@localhost", "local yes abuse@box.example" },
		{ "abuse@relay.example", "relay yes abuse@relay.example" },
		{ "named@alias.example", "valias yes joe@box.example,\"a b\"@box.example" },
		{ "dup@alias.example", "valias yes a@box.example" },
		{ "up@alias.example", "valias yes Mixed@box.example" },
		/* local aliases */
		{ "root@example.net", "local yes admin@box.example" },
		{ "root+x@example.net", "local yes admin@box.example" },
		{ "Root@example.net", "local yes admin@box.example" },
		{ "ops@localhost", "local yes admin@box.example,joe@example.net" },
		{ "stop@example.net", "local yes stop@example.net" },
		{ "loop1@example.net", "local loop" },
		{ "root@relay.example", "relay yes root@relay.example" },
		{ "pipe@example.net", "status 2: alias_maps: \"pipe\" leads to \"|/bin/cat\"; commands, files and "
				      ":include: are not supported "
				      "in aliases; use addresses only" },
		{ "file@example.net", "status 2: alias_maps: \"file\" leads to \"/var/x\"; commands, files and "
				      ":include: are not supported in "
				      "aliases; use addresses only" },
		{ "inc@example.net", "status 2: alias_maps: \"inc\" leads to \":include:/x\"; commands, files and "
				     ":include: are not supported "
				     "in aliases; use addresses only" },
		{ "quoted@example.net", "status 2: alias_maps: \"quoted\" leads to \"\"|/bin/cat x\"\"; commands, "
					"files and :include: are not "
					"supported in aliases; use addresses only" },
		/* odd ones: an answer, and no crash */
		{ "", "local User unknown in local recipient table" },
		{ "@", "default yes @" },
		{ "@box.example", "vmailbox User unknown in virtual mailbox table" },
		{ "\"\"@box.example", "vmailbox User unknown in virtual mailbox table" },
		{ "a@b@box.example", "vmailbox User unknown in virtual mailbox table" },
		{ "joe%elsewhere.example@example.net", "local User unknown in local recipient table" },
	};
	struct fixture f = set_up(&base);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_str(rcpt_text(&f, cases[i].address), cases[i].want);
	tear_down(&f);
}

static struct str route_text(struct fixture *f, const char *address, const char *sender)
{
	struct map_answer a;

	resolve_route(f->r, str_c(address), str_c(sender), f->mem, &a);
	if (a.status != MAP_FOUND)
		return str_c(arena_printf(f->mem, "status %d: %.*s", (int)a.status, STR_ARG(a.why)));
	return str_c(arena_printf(f->mem, "%.*s|%.*s", STR_ARG(a.service), STR_ARG(a.nexthop)));
}

static void test_route(void **state)
{
	static const struct {
		const char *address, *sender, *want;
	} cases[] = {
		{ "x@elsewhere.example", "a@b.example", "smtp|[smart.example]:587" },
		{ "x@relay.example", "a@b.example", "relay|[smart.example]:587" },
		{ "joe@example.net", "a@b.example", "local|mx.example.net" },
		{ "a@box.example", "a@b.example", "lmtp|unix:private/dovecot-lmtp" },
		{ "a@alias.example", "a@b.example", "error|User unknown in virtual alias table" },
		/* by sender */
		{ "x@elsewhere.example", "s@send.example", "smtp|[10.1.1.1]:587" },
		{ "x@elsewhere.example", "S+ext@Send.example", "smtp|[10.1.1.1]:587" },
		{ "x@elsewhere.example", "s@dunno.example", "smtp|elsewhere.example" },
		{ "x@elsewhere.example", "", "smtp|[10.9.9.9]" },
		{ "x@elsewhere.example", "s@slow.example", "slow|[smart.example]:587" },
		{ "x@elsewhere.example", "s@fix.example", "smtp|[10.2.2.2]" },
		{ "x@relay.example", "s@fix.example", "relay|[smart.example]:587" },
		/* transport_maps */
		{ "x@t1.example", "", "smtp|[10.0.0.1]:2525" },
		{ "x@sub.t1.example", "a@b", "smtp|[10.0.0.2]" },
		{ "x@a.sub.t1.example", "a@b", "smtp|[10.0.0.2]" },
		{ "x@t2.example", "a@b", "relay|t2.example" },
		{ "x@t3.example", "a@b", "smtp|[smart.example]:587" },
		{ "user@t1.example", "a@b", "lmtp|unix:private/x" },
		{ "user+e@t1.example", "a@b", "lmtp|unix:private/x" },
		{ "x@t4.example", "a@b", "error|closed" },
		{ "x@t5.example", "a@b", "error|Address is undeliverable" },
	};
	struct resolve_settings plain = base;
	struct fixture f = set_up(&base);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_str(route_text(&f, cases[i].address, cases[i].sender), cases[i].want);
	tear_down(&f);
	plain.relayhost = plain.sender_dependent_relayhost_maps = "";
	plain.virtual_transport = "virtual";
	plain.transport_maps = "inline:{ {*=lmtp:inet:last} {box.example=:} {elsewhere.example=:} }";
	f = set_up(&plain);
	check_str(route_text(&f, "x@elsewhere.example", ""), "smtp|elsewhere.example");
	check_str(route_text(&f, "a@box.example", ""), "virtual|box.example");
	check_str(route_text(&f, "x@other.example", ""), "lmtp|inet:last");
	tear_down(&f);
}

/* A table that fails is never "not found", and stops where it stands. */
static void test_failure(void **state)
{
	static const char why[] = "status 2: fail:broken: this table always fails";
	struct resolve_settings s = base;
	struct fixture f;

	(void)state;
	s.virtual_mailbox_maps = "fail:broken";
	f = set_up(&s);
	check_str(rcpt_text(&f, "a@box.example"), why);
	check_str(rcpt_text(&f, "joe@example.net"), "local yes joe@example.net");
	tear_down(&f);
	s.virtual_alias_maps = "fail:broken";
	f = set_up(&s);
	check_str(rcpt_text(&f, "joe@example.net"), why);
	check_str(rcpt_text(&f, "postmaster"), why);
	tear_down(&f);
	s.mydestination = "first.example, fail:broken";
	s.virtual_alias_maps = "";
	f = set_up(&s);
	check_str(rcpt_text(&f, "joe@elsewhere.example"), why);
	check_str(rcpt_text(&f, "joe@first.example"), "local yes joe@first.example");
	check_str(route_text(&f, "joe@elsewhere.example", ""), why);
	tear_down(&f);
	s = base;
	s.transport_maps = "fail:broken";
	f = set_up(&s);
	check_str(route_text(&f, "joe@elsewhere.example", "x@y"), why);
	tear_down(&f);
	s = base;
	s.virtual_alias_maps = "bogus:/x";
	f = set_up(&s);
	check(str_has_prefix(rcpt_text(&f, "joe@elsewhere.example"), STR("status 2: bogus:/x: there is no such type")));
	tear_down(&f);
}

/* Over a local set: the answer, or that mapd must be asked. */
static void test_elsewhere(void **state)
{
	struct resolve_settings s = base;
	struct fixture f;
	struct map_answer a;

	(void)state;
	s.virtual_mailbox_maps = "hash:/nonexistent";
	s.local_transport = "local:mx";
	f.tables = table_set_new(TABLES_LOCAL, "");
	f.mem = arena_new(0);
	f.settings = s;
	f.r = resolver_new(&f.settings, f.tables);
	resolve_rcpt(f.r, STR("a@box.example"), f.mem, &a);
	check_int(a.status, MAP_ELSEWHERE);
	resolve_rcpt(f.r, STR("x@elsewhere.example"), f.mem, &a);
	check_int(a.status, MAP_FOUND);
	check_int(a.class, CLASS_DEFAULT);
	resolve_route(f.r, STR("a@box.example"), STR(""), f.mem, &a);
	check_int(a.status, MAP_FOUND);
	resolve_lookup(f.r, STR("inline:{a=b}, hash:/x"), STR("A"), MAP_EXACT, f.mem, &a);
	check_int(a.status, MAP_FOUND);
	check_str(a.value, "b");
	resolve_lookup(f.r, STR("inline:{a=b}, hash:/x"), STR("c"), MAP_EXACT, f.mem, &a);
	check_int(a.status, MAP_ELSEWHERE);
	tear_down(&f);
}

static void test_limits(void **state)
{
	struct resolve_settings s = base;
	struct buf map = BUF_INIT(1 << 20);
	struct fixture f;

	(void)state;
	buf_add_c(&map, "inline:{ {big@x.example=");
	for (unsigned i = 0; i < 999; i++)
		buf_addf(&map, "u%u@y.example ", i);
	buf_add_c(&map, "}, {bigger@x.example=");
	for (unsigned i = 0; i < 1001; i++)
		buf_addf(&map, "u%u@y.example ", i);
	buf_add_c(&map, "}, {twice@x.example=big@x.example, bigger@x.example}");
	for (unsigned i = 0; i < 1200; i++)
		buf_addf(&map, ", {c%u@x.example=c%u@x.example}", i, i + 1);
	buf_add_c(&map, "}");
	s.virtual_alias_maps = map.p;
	s.virtual_alias_domains = "";
	f = set_up(&s);
	check(str_has_prefix(rcpt_text(&f, "big@x.example"), STR("default yes u0@y.example,u1@y.example")));
	check_str(rcpt_text(&f, "bigger@x.example"), "default loop");
	check_str(rcpt_text(&f, "twice@x.example"), "default loop");
	check_str(rcpt_text(&f, "c0@x.example"), "default loop");
	check_str(rcpt_text(&f, "c900@x.example"), "default yes c1200@x.example");
	tear_down(&f);
	buf_free(&map);
}

static void test_how(void **state)
{
	static const struct {
		const char *tables, *key, *want;
		enum map_how how;
	} cases[] = {
		{ "inline:{a=1}", "a", "1", MAP_EXACT },
		{ "inline:{a=1}, inline:{b=2}", "b", "2", MAP_EXACT },
		{ "inline:{a=1}, inline:{a=2}", "A", "1", MAP_EXACT },
		{ "static:all", "anything", "all", MAP_EXACT },
		{ "static:{ a b }", "anything", "a b", MAP_EXACT },
		{ "proxy:inline:{a=1}", "a", "1", MAP_EXACT },
		{ "inline:{{a@b.example=1}}", "a+x@b.example", "1", MAP_ADDRESS },
		{ "inline:{{@b.example=1}}", "a+x@b.example", "1", MAP_ADDRESS },
		{ "inline:{b.example=1}", "a@b.example", NULL, MAP_ADDRESS },
		{ "inline:{{joe=1}}", "joe@example.net", "1", MAP_ADDRESS },
		{ "inline:{{joe=1}}", "joe+x@localhost", "1", MAP_ADDRESS },
		{ "inline:{{joe=1}}", "joe@elsewhere.example", NULL, MAP_ADDRESS },
		{ "inline:{b.example=1}", "b.example", "1", MAP_DOMAIN },
		{ "inline:{b.example=1}", "x.a.b.example", "1", MAP_DOMAIN },
		{ "inline:{.b.example=1}", "a.b.example", NULL, MAP_DOMAIN },
		{ "inline:{b.example=1}", "ab.example", NULL, MAP_DOMAIN },
		{ "inline:{{a@b.example=1}}", "a@b.example", "1", MAP_ACCESS },
		{ "inline:{{a@b.example=1}}", "a+e@b.example", "1", MAP_ACCESS },
		{ "inline:{b.example=1}", "a@b.example", "1", MAP_ACCESS },
		{ "inline:{b.example=1}", "a@x.b.example", "1", MAP_ACCESS },
		{ "inline:{example=1}", "a@x.b.example", "1", MAP_ACCESS },
		{ "inline:{{a@=1}}", "a@x.b.example", "1", MAP_ACCESS },
		{ "inline:{{a@=1}}", "a+e@x.b.example", "1", MAP_ACCESS },
		{ "inline:{{@b.example=1}}", "a@b.example", NULL, MAP_ACCESS },
		{ "inline:{b.example=1}", "host.b.example[192.0.2.7]", "1", MAP_CLIENT },
		{ "inline:{192.0.2.7=1}", "host.b.example[192.0.2.7]", "1", MAP_CLIENT },
		{ "inline:{192.0.2=1}", "host.b.example[192.0.2.7]", "1", MAP_CLIENT },
		{ "inline:{192=1}", "192.0.2.7", "1", MAP_CLIENT },
		{ "inline:{192.0=1}", "198.51.100.1", NULL, MAP_CLIENT },
		{ "inline:{2001:db8=1}", "2001:db8::1", "1", MAP_CLIENT },
		{ "inline:{unknown=1}", "unknown[192.0.2.7]", "1", MAP_CLIENT },
		{ "", "a", NULL, MAP_EXACT },
	};
	struct fixture f = set_up(&base);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct map_answer a;

		resolve_lookup(f.r, str_c(cases[i].tables), str_c(cases[i].key), cases[i].how, f.mem, &a);
		if (a.status != (cases[i].want ? MAP_FOUND : MAP_NOT_FOUND))
			print_message("case %zu: %s in %s\n", i, cases[i].key, cases[i].tables);
		check_int(a.status, cases[i].want ? MAP_FOUND : MAP_NOT_FOUND);
		if (cases[i].want)
			check_str(a.value, cases[i].want);
	}
	tear_down(&f);
}

/* Each address once, in whatever case, however many there are; in the order of the first ones. */
static void test_repeats(void **state)
{
	static const unsigned sizes[] = { 1, 63, 64, 65, 66, 200, 40000 };

	(void)state;
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		struct resolve_settings s = base;
		struct buf map = BUF_INIT(4 << 20);
		struct map_answer a;
		struct fixture f;
		unsigned wrong = 0;

		buf_add_c(&map, "inline:{ {big@x.example=");
		for (unsigned i = 0; i < sizes[k]; i++)
			buf_addf(&map, "u%u@y.example U%u@Y.example u%u@y.example ", i, i / 2, i / 3);
		buf_add_c(&map, "} }");
		buf_add(&map, "", 1);
		s.virtual_alias_maps = map.p;
		s.virtual_alias_expansion_limit = 200000;
		f = set_up(&s);
		resolve_rcpt(f.r, STR("big@x.example"), f.mem, &a);
		check_int(a.status, MAP_FOUND);
		check_int(a.n_expanded, sizes[k]);
		for (unsigned i = 0; i < sizes[k] && i < a.n_expanded; i++) {
			char want[32];

			snprintf(want, sizeof want, "u%u@y.example", i);
			wrong += !str_eq(a.expanded[i], str_c(want));
		}
		check_int(wrong, 0);
		tear_down(&f);
		buf_free(&map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rcpt), cmocka_unit_test(test_route),
		cmocka_unit_test(test_failure), cmocka_unit_test(test_elsewhere), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_repeats), cmocka_unit_test(test_how) };

	return test_run(tests);
}
