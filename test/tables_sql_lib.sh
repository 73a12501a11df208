# tables_sql_lib.sh - main.cf of the ISPmail guide, with its tables in a database, through a running instance: what
# test/peer/tables_mysql and test/peer/tables_pgsql do alike. Source it after lib.sh and sql_lib.sh.

aliases_schema() {
	cat <<'E2'
CREATE TABLE virtual_aliases (id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL, source VARCHAR(100) NOT NULL,
	destination VARCHAR(100) NOT NULL);
INSERT INTO virtual_aliases VALUES (1, 1, 'sales@example.org', 'john@example.org'), (2, 1, 'sales@example.org', 'jane@example.org'),
	(3, 1, '@example.org', ''), (4, 1, 'it''s@example.org', 'john@example.org');
E2
}
# table_file NAME QUERY LINE…: a table of the guide, as its pages have it.
table_file() {
	{
		echo "user = mailuser"
		echo "password = x1PC'se#cret"
		echo "hosts = 127.0.0.1:$db_port"
		echo "dbname = mailserver"
		echo "query = $2"
		printf '%s\n' "${@:3}"
	} >"$e/$1.cf"
	chmod 600 "$e/$1.cf"
}
rcpt() { # ADDRESS…: what a stranger's server is told of each
	python3 - "$smtp" "$@" <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=60)
s.ehlo("client.example.net")
s.mail("a@example.net")
for address in sys.argv[2:]:
    code, text = s.docmd("RCPT", "TO:<" + address + ">")
    print(address, code, text.decode())
s.quit()
PY
}
answers() { rcpt "$2" | grep -q "^$2 $1 "; }
asks() { "$BIN/postmap" -c "$e" -q "$1" "$type:$e/$2.cf" 2>&1; } # KEY TABLE

tables_checks() { # TYPE: mysql or pgsql
	local type=$1 e out name dead
	new_instance m --hostname mail.example1.com || finish
	add_user john@example.org test John
	e=$DIR/etc
	table_file domains "SELECT 1 FROM virtual_domains WHERE name='%s'"
	table_file mailboxes "SELECT 1 FROM virtual_users WHERE email='%s'"
	table_file aliases "SELECT destination FROM virtual_aliases WHERE source='%s'"
	table_file email2email "SELECT email FROM virtual_users WHERE email='%s'"
	pc mydestination=localhost mynetworks=192.0.2.0/24 "virtual_mailbox_domains=$type:$e/domains.cf" "virtual_mailbox_maps=$type:$e/mailboxes.cf" \
		"virtual_alias_maps=proxy:$type:$e/aliases.cf $type:$e/email2email.cf" "smtpd_sender_login_maps=$type:$e/email2email.cf" \
		'virtual_transport=smtp:[127.0.0.1]:1' smtpd_sender_restrictions=reject_sender_login_mismatch

	# --- asked by hand
	check_match "postconf -m knows the type" "$(pc -m)" "^$type\$"
	check_eq "postmap -q" "$(asks john@example.org mailboxes)" 1
	check_eq "… letters in upper case" "$(asks John@Example.ORG mailboxes)" 1
	check_eq "… two rows are two addresses" "$(asks sales@example.org aliases)" "john@example.org,jane@example.org"
	check_eq "… an empty cell is no answer" "$(asks @example.org aliases; echo $?)" 1
	check_eq "… who is not there" "$(asks nobody@example.org mailboxes; echo $?)" 1
	check_eq "… a quote in the key" "$(asks "it's@example.org" aliases)" "john@example.org"
	for name in "' OR '1'='1" "' OR 1=1 -- " "\\' OR 1=1 -- " 'john@example.org%' '$1' '?' "x';DROP TABLE virtual_users;-- " $'\xff\xfe@example.org' \
		$'\xbf\x27 OR 1=1 -- '; do
		check_eq "… a hostile key is data: $(printf %q "$name")" "$(asks "$name" mailboxes; echo $?)" 1
	done
	table_file parts "SELECT destination FROM virtual_aliases WHERE source='%u@%d'" 'result_format = <%u|%d|%S>' 'domain = example.org, other.example'
	check_eq "parts of the key and of the value" "$(asks sales@example.org parts)" "<john|example.org|sales@example.org>,<jane|example.org|sales@example.org>"
	check_eq "a key without a local part is not asked for" "$(asks @example.org parts; echo $?)" 1
	check_eq "a domain that is not in \"domain =\"" "$(asks sales@example.net parts; echo $?)" 1
	table_file limited "SELECT destination FROM virtual_aliases WHERE source='%s'" 'expansion_limit = 1'
	check_match "more than expansion_limit" "$(asks sales@example.org limited)" 'more than expansion_limit = 1 results for "sales@example.org"'
	table_file wrong "SELECT nothing FROM virtual_aliases WHERE source='%s'"
	check_match "a query that does not fit" "$(asks x wrong)" "fatal: $type:$e/wrong.cf: the query of .*nothing"
	table_file unknown "SELECT 1" 'passwrod = verysecret'
	out=$(asks x unknown)
	check_match "a word that is none" "$out" '"passwrod" is no setting of a'
	check_no_match "… and its value is not shown" "$out" verysecret
	printf 'hosts = localhost\n' >"$e/none.cf"
	check_match "no query" "$(asks x none)" 'there is no "query ="'
	printf 'hosts = 127.0.0.1:port\nquery = SELECT 1\n' >"$e/none.cf"
	check_match "a host that is none" "$(asks x none)" '"127.0.0.1:port" is no host; write HOST, HOST:PORT or unix:/PATH'
	read -r dead < <(free_ports 1)
	table_file second "SELECT 1 FROM virtual_users WHERE email='%s'"
	sed -i "s/^hosts.*/hosts = 127.0.0.1:$dead, 127.0.0.1:$db_port/" "$e/second.cf"
	check_eq "the first host is dead: the second answers" "$(asks john@example.org second)" 1

	# --- by the server
	check_eq "check finds nothing wrong" "$(gp check 2>&1 | grep -c "$type")" 0
	cp "$e/domains.cf" "$T/domains.cf"
	sed -i "s/^query.*/query = SELECT 1 FROM virtual_domains WHERE name='%s/; s/^user/users/" "$e/domains.cf"
	out=$(gp check 2>&1)
	check_match "check looks into a table's file" "$out" "virtual_mailbox_domains: $type:.*a quotation mark in the query is not closed"
	check_match "… and names a word that is none" "$out" 'virtual_mailbox_domains: .*domains.cf, line 1: "users" is no setting'
	cp "$T/domains.cf" "$e/domains.cf"
	start_instance || { not_ok "it starts"; finish; }
	out=$(rcpt john@example.org sales@example.org nobody@example.org friend@example.net "\"' OR '1'='1\"@example.org")
	check_match "who has a mailbox" "$out" '^john@example.org 250 '
	check_match "who is an alias" "$out" '^sales@example.org 250 '
	check_match "who is nobody" "$out" '^nobody@example.org 550 5.1.1 '
	check_match "another domain: no relay" "$out" '^friend@example.net 554 5.7.1 '
	check_match "a hostile name is nobody" "$out" "1\"@example.org 550 5.1.1 "
	python3 - "$smtp" <<'PY'
import smtplib, sys
smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=30).sendmail("a@example.net", ["sales@example.org"], "Subject: x\r\n\r\nx\r\n")
PY
	queued() { "$BIN/postqueue" -c "$e" -j | grep -oE '"address": *"[^"]*"' | sort | tr -d ' \n'; }
	check_match "a mail to the alias is for both" "$(queued)" '"jane@example.org".*"john@example.org"'
	sends_as() { swaks --server 127.0.0.1 --port "$submission" --tls --auth PLAIN --auth-user john@example.org --auth-password test --from "$1" --to john@example.org --quit-after RCPT 2>&1; }
	check_match "a login sends as himself" "$(sends_as john@example.org)" '250 2.1.5'
	check_match "… and as nobody else" "$(sends_as jane@example.org)" '553 5.7.1'
	# Its jail: to the ports of its tables, and to no other.
	check_match "mapd's jail has a network, bounded" "$(gp status | grep -A1 '^mapd')" 'landlock [4-9]+ \(files tcp |landlock [0-3] '
	cp "$e/mailboxes.cf" "$T/mailboxes.cf"
	sed -i "s/^hosts.*/hosts = 127.0.0.1:$smtp/" "$e/mailboxes.cf"
	check "a port that was not named at the start is out of reach" wait_for 10 answers 451 nobody@example.org
	[[ $(gp status | grep -A1 '^mapd') != *'(files tcp '* ]] || check_match "… for mapd" "$(maillog)" "$type:.*mailboxes.cf: the database cannot be asked: .*(Permission denied|\\(13\\))"
	cp "$T/mailboxes.cf" "$e/mailboxes.cf"
	check "… until it is named again" wait_for 20 answers 550 nobody@example.org

	# --- the table's file changes
	for name in mailboxes email2email; do
		table_file $name "SELECT email FROM virtual_users WHERE email='%s' AND email <> 'jane@example.org'"
	done
	check "a changed query counts without a reload" wait_for 10 answers 550 jane@example.org

	# --- the server goes, and returns
	db_kill
	check "killed: a temporary failure" answers 451 john@example.org
	check_match "… and the log says why" "$(maillog)" "$type:.*: the database cannot be asked: "
	db_start
	check "it is back: so are they" wait_for 20 answers 250 john@example.org
	check_no_match "the password is in no line" "$(maillog)" 'x1PC'
}
