# sql_lib.sh - a database server of the test's own with the ISPmail guide's users, for the tests of authd and of the tables in
# main.cf. Source it after lib.sh; then postgresql_server or mariadb_server gives db_start, db_kill (-9), db_sql (reads SQL; the
# rows come without ornament) and $p, its folder. They end the test where there is no such server.

HASH='{BLF-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW' # test

# Who runs a command that refuses root.
as() { # ACCOUNT command…
	local who=$1
	shift
	if [ "$(id -u)" = 0 ]; then runuser -u "$who" -- "$@"; else "$@"; fi
}
postgresql_server() {
	bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
	[ -n "$bin" ] || { skip "postgresql is not installed"; finish; }
	who=$(id -un)
	[ "$who" != root ] || who=postgres
	p=$T/pg
	mkdir -p "$p/run"
	[ "$(id -u)" != 0 ] || chown -R postgres "$p"
	as "$who" "$bin/initdb" -D "$p/data" -U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8 >"$T/initdb.log" 2>&1 ||
		{ not_ok "initdb" "$(cat "$T/initdb.log")"; finish; }
	db_start() {
		as "$who" "$bin/pg_ctl" -D "$p/data" -w -t 60 -l "$p/log" \
			-o "-c listen_addresses='${db_address:-}' -c port=${db_port:-5432} -c unix_socket_directories='$p/run' -c fsync=off" start >>"$T/pg.out" 2>&1
	}
	db_kill() {
		local pid
		pid=$(head -n 1 "$p/data/postmaster.pid" 2>/dev/null) || return
		kill -9 "$pid"
		# Its children end by themselves, and must have before it can start again.
		wait_for 20 bash -c "! pgrep -u '$who' -g $pid >/dev/null && ! pgrep -P $pid >/dev/null"
	}
	trap 'as "$who" "$bin/pg_ctl" -D "$p/data" -m immediate stop >/dev/null 2>&1; cleanup' EXIT
	db_sql() { as "$who" "$bin/psql" -h "$p/run" -p "${db_port:-5432}" -U postgres -Atq -v ON_ERROR_STOP=1 "${1:-mailserver}"; }
	db_start || { not_ok "PostgreSQL starts" "$(cat "$T/pg.out" "$p/log")"; finish; }
	ok "PostgreSQL starts"
}
mariadb_server() {
	server=$(command -v mariadbd || ls /usr/sbin/mariadbd 2>/dev/null)
	[ -n "$server" ] || { skip "mariadb-server is not installed"; finish; }
	who=$(id -un)
	[ "$who" != root ] || who=mysql
	p=$T/my
	mkdir -p "$p"
	[ "$(id -u)" != 0 ] || chown -R mysql "$p"
	as "$who" mariadb-install-db --no-defaults --datadir="$p/data" --auth-root-authentication-method=normal --skip-test-db \
		>"$T/install.log" 2>&1 || { not_ok "mariadb-install-db" "$(tail -n 5 "$T/install.log")"; finish; }
	mysql_pid=
	db_start() {
		local network=--skip-networking
		[ -z "${db_address:-}" ] || network="--bind-address=$db_address --port=$db_port"
		as "$who" "$server" --no-defaults --datadir="$p/data" --socket="$p/s" $network --pid-file="$p/pid" \
			--innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=16M >>"$p.log" 2>&1 &
		disown
		wait_for 60 mariadb-admin --no-defaults -S "$p/s" -u root ping || return 1
		mysql_pid=$(cat "$p/pid")
	}
	db_kill() {
		kill -9 "$mysql_pid" 2>/dev/null
		wait_for 20 bash -c "! kill -0 $mysql_pid"
		rm -f "$p/s" "$p/pid"
	}
	trap 'db_kill; cleanup' EXIT
	db_sql() { mariadb --no-defaults -N -S "$p/s" -u root "${1:-mailserver}"; }
	db_start || { not_ok "MariaDB starts" "$(tail -n 20 "$p.log")"; finish; }
	ok "MariaDB starts"
}
guide_schema() {
	cat <<'E2'
CREATE TABLE virtual_domains (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL);
CREATE TABLE virtual_users (id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL, email VARCHAR(100) NOT NULL,
	password VARCHAR(150) NOT NULL, quota BIGINT NOT NULL DEFAULT 0, enablesmtp INTEGER NOT NULL DEFAULT 1,
	enablesmtpsecured INTEGER NOT NULL DEFAULT 1, pin INTEGER);
CREATE UNIQUE INDEX email ON virtual_users (email);
INSERT INTO virtual_domains VALUES (1, 'example.org');
E2
	echo "INSERT INTO virtual_users(id, domain_id, email, password) VALUES (1, 1, 'john@example.org', '$HASH');"
	echo "INSERT INTO virtual_users(id, domain_id, email, password, enablesmtpsecured) VALUES (2, 1, 'jane@example.org', '$HASH', 0);"
	local i
	for i in $(seq 10 29); do
		echo "INSERT INTO virtual_users(id, domain_id, email, password) VALUES ($i, 1, 'user$i@example.org', '{PLAIN}secret$i');"
	done
}
# The SQL file of the guide, with its continuation lines. Arguments: driver, connect, quota_rule's expression.
guide_sql_file() {
	cat >"$DIR/etc/auth-sql.conf.ext" <<E2
driver = $1
connect = $2
password_query = SELECT email as user, password FROM virtual_users WHERE email='%u';
user_query = SELECT email as user, \\
  $3 AS quota_rule, \\
  '/var/vmail/%d/%n' AS home, \\
  5000 AS uid, 5000 AS gid \\
  FROM virtual_users WHERE email='%u';
iterate_query = SELECT email AS user FROM virtual_users;
E2
}
sock() { echo "$DIR/spool/private/auth"; }
# logins FILE-OF-NAMES-AND-PASSWORDS as Python literals: one word for each, OK, FAIL or TEMP.
logins() {
	python3 - "$(sock)" "$@" <<'PY'
import base64, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(30); s.connect(sys.argv[1]); f = s.makefile("rb")
s.sendall(b"VERSION\t1\t2\nCPID\t77\n")
while f.readline() != b"DONE\n":
    pass
for i, pair in enumerate(sys.argv[2:], 1):
    name, password = eval(pair)
    s.sendall(b"AUTH\t%d\tPLAIN\tservice=smtp\tsecured\tno-penalty\trip=192.0.2.1\tresp=%s\n" % (i, base64.b64encode(b"\0" + name + b"\0" + password)))
    a = f.readline()
    print("OK" if a.startswith(b"OK\t") else "TEMP" if b"code=temp_fail" in a else "FAIL" if a.startswith(b"FAIL") else repr(a))
PY
}
login() { logins "(b'$1', b'$2')"; }
logs_in() { [ "$(login "$@")" = OK ]; }
hostile_names() {
	local i=0 name names=() got
	for name in "b\"' OR 1=1--\"" "b\"' OR '1'='1\"" "b\"john@example.org'--\"" "b\"john@example.org\\\\'\"" "b\"\\\\' OR 1=1 -- \"" \
		"b\"\\xbf\\x27 OR 1=1-- \"" "b'\\xc0\\xa7 OR 1=1--'" "b'%u'" "b'%{user}'" "b'100%'" "b'%s%n%d'" "b'john@example.org%'" "b'_ohn@example.org'" \
		"b';DROP TABLE virtual_users;--'" "b'\\xff\\xfe'" "b'\$1'" "b'?'" "b'\"'" "b'\`'" "b'x' * 400" "b'\\xf0\\x9f\\x92\\xa9'"; do
		names+=("($name, b'test')")
	done
	got=$(logins "${names[@]}")
	check_eq "hostile names are data: nobody is let in, and nothing breaks" "$(sort <<<"$got" | uniq -c | tr -s ' ')" " ${#names[@]} FAIL"
	check_eq "the table is still there" "$(login john@example.org test)" OK
	check_no_match "no name reached SQL as text" "$(maillog)" 'syntax error|SQL syntax|logins get a temporary failure'
}
# Logins with right and wrong passwords all the time, while the server is killed and restarted; prints what went wrong.
gets_temporary() { [ "$(login "$1" test)" = TEMP ]; }
load_while_killed() { # KILLS
	python3 - "$(sock)" "$T/load.stop" >"$T/load.out" <<'PY' &
import base64, collections, os, socket, sys, threading, time
seen, lock = collections.Counter(), threading.Lock()
def run(k):
    s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1]); f = s.makefile("rb")
    s.sendall(b"VERSION\t1\t2\nCPID\t%d\n" % (100 + k))
    while f.readline() != b"DONE\n":
        pass
    i = 0
    while not os.path.exists(sys.argv[2]):
        i += 1
        n = 10 + (i + k) % 20
        right = (i + k) % 3 != 0
        p = b"\0user%d@example.org\0%s%d" % (n, b"secret" if right else b"wrong", n)
        s.sendall(b"AUTH\t%d\tPLAIN\tservice=smtp\tsecured\tno-penalty\trip=192.0.2.%d\tresp=%s\n" % (i, k, base64.b64encode(p)))
        a = f.readline()
        how = "OK" if a.startswith(b"OK\t") else "TEMP" if b"code=temp_fail" in a else "FAIL" if a.startswith(b"FAIL") else "LOST"
        with lock:
            seen["right" if right else "wrong", how] += 1
        time.sleep(0.002)
ts = [threading.Thread(target=run, args=(k,)) for k in range(1, 9)]
[t.start() for t in ts]; [t.join() for t in ts]
for (what, how), n in sorted(seen.items()):
    print(what, how, n)
PY
	local load=$! i
	for i in $(seq "$1"); do
		sleep 0.5
		db_kill
		# The load may be waiting for its answers to wrong passwords: somebody has to ask, or nobody can know that it is gone.
		wait_for 20 gets_temporary "gone$i@example.org" || not_ok "a login while it is gone gets a temporary failure"
		db_start || not_ok "the database starts again"
		wait_for 20 logs_in john@example.org test || not_ok "logins work again after restart $i" "$(maillog | tail -n 5)"
	done
	touch "$T/load.stop"
	wait $load
}
# Several credentials of one user, by the table and the words of auth.conf(5). Arguments: the time in SQL, how INSERT begins and
# ends when it may replace. The caller gives the database's user the rights.
credentials_schema() {
	sed -n '/^CREATE TABLE credentials/,/;$/p' "$ROOT/man/auth.conf.5" | sed "s/\\\\(aq/'/g"
}
credentials_checks() { # NOW INSERT UPSERT
	local app
	cat >>"$DIR/etc/auth-sql.conf.ext" <<E2
credentials_query = SELECT c.name, c.password, c.expires, c.allow_nets, c.service \\
  FROM credentials c JOIN virtual_users u ON u.email = c.email \\
  WHERE c.email = '%u' AND (c.name <> '' OR c.made_for = u.password)
credentials_used_query = UPDATE credentials SET used = $1, used_from = '%r' \\
  WHERE email = '%u' AND name = '%{credential}'
credentials_set_query = $2 INTO credentials(email, password, made_for) \\
  SELECT email, '%w', password FROM virtual_users WHERE email = '%u' AND password = '%{passdb:password}' $3
E2
	sed -i 's/^auth_mechanisms.*/auth_mechanisms = plain login scram-sha-256/' "$DIR/etc/auth.conf"
	gp stop; : >"$DIR/mail.log"; start_instance || { not_ok "it starts with a credentials_query"; return; }
	check_no_match "credentials_query fits the manual's table" "$(grep "authd\[" "$DIR/mail.log")" 'warning|error'
	app=$(gp user app-password add john@example.org --name phone --networks 192.0.2.0/24 --sql 2>&1 >"$T/app.sql")
	check "the SQL for an app password" db_sql <"$T/app.sql"
	check_eq "an app password" "$(login john@example.org "$app")" OK
	check_eq "… is nobody else's" "$(login jane@example.org "$app")" FAIL
	check_eq "… beside the own one" "$(login john@example.org test)" OK
	check "… its last use is kept" wait_for 10 credentials_has "used > 1700000000 AND used_from = '192.0.2.1' AND name = 'phone'"
	check_no_match "… without a complaint" "$(grep "authd\[" "$DIR/mail.log")" 'warning|error'
	check "keys for SCRAM are made beside the hash" wait_for 10 credentials_has "name = '' AND email = 'john@example.org'"
	check_match "… and SCRAM works" "$(python3 "$ROOT/test/peer/mechanisms.py" "socket:$(sock)" SCRAM-SHA-256 john@example.org test 2>&1 | tail -n 1)" 'OK 1'
	check_match "… not with another password" "$(python3 "$ROOT/test/peer/mechanisms.py" "socket:$(sock)" SCRAM-SHA-256 john@example.org Test 2>&1 | tail -n 1)" 'FAIL 1'
	echo "UPDATE credentials SET expires = 1 WHERE name = 'phone';" | db_sql
	check_eq "expired" "$(login john@example.org "$app")" FAIL
	echo "UPDATE credentials SET expires = NULL WHERE name = 'phone';" | db_sql
	check_eq "… not any more" "$(login john@example.org "$app")" OK
	echo "DELETE FROM credentials WHERE name = 'phone';" | db_sql
	check_eq "revoked" "$(login john@example.org "$app")" FAIL
	check_match "the log names it" "$(maillog)" 'success with the app password "phone"'
	check_no_match "… and does not show it" "$(maillog)" "$app"
}
credentials_has() { [ "$(credentials_count "$1")" -ge 1 ]; }
