# lib.sh - what the scripts of test/peer and test/crash share. Source it first, call `finish` last.
#
#   . "$(dirname "$0")/../lib.sh"
#   instance A --hostname mail.example1.com      makes and starts $T/A; ports in $smtp $submission $submissions
#   check "a sentence" command…                  ok when the command succeeds
#   finish                                       prints the count and ends
#
# BIN: the folder of our programs (default build/bin). Everything lives below $T and is stopped and removed at the end.
set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=$(cd "${BIN:-$ROOT/build/bin}" && pwd) || exit 1
SHARED=${GATEPOST_SHARED:-$ROOT/../shared}
T=$(mktemp -d "${TMPDIR:-/tmp}/gatepost-test.XXXXXX")
chmod 755 "$T"
PASSED=0 FAILED=0 SKIPPED=0
PIDS=()

# PID…: those and all that they have started. A function in the background is a shell, and what it runs a child of that.
with_children() {
	local p
	for p; do
		echo "$p"
		with_children $(pgrep -P "$p")
	done
}
cleanup() {
	local d p
	for d in "$T"/*/etc/main.cf; do
		[ -S "${d%etc/main.cf}spool/public/control" ] && "$BIN/gatepost" -c "${d%/main.cf}" stop >/dev/null 2>&1
	done
	for p in $(with_children ${PIDS[@]+"${PIDS[@]}"} $(jobs -pr)); do kill "$p" 2>/dev/null; done
	[ -z "${KEEP:-}" ] && rm -rf "$T" || echo "kept: $T"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

ok() { PASSED=$((PASSED + 1)); echo "ok - $1"; }
not_ok() { FAILED=$((FAILED + 1)); echo "not ok - $1"; [ -z "${2:-}" ] || sed 's/^/    /' <<<"$2" | tail -n 25; }
skip() { SKIPPED=$((SKIPPED + 1)); echo "skipped - $1"; }
check() { # "sentence" command…
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$out"; fi
}
check_eq() { # "sentence" got wanted
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got:    $2
wanted: $3"; fi
}
check_match() { # "sentence" text extended-regex
	if grep -qE -- "$3" <<<"$2"; then ok "$1"; else not_ok "$1" "no line matches: $3
$2"; fi
}
check_no_match() {
	if grep -qE -- "$3" <<<"$2"; then not_ok "$1" "a line matches: $3
$2"; else ok "$1"; fi
}
finish() {
	echo
	if [ $SKIPPED -gt 0 ]; then
		echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
	else
		echo "$PASSED passed, $FAILED failed"
	fi
	[ $FAILED -eq 0 ] && [ $((PASSED + SKIPPED)) -gt 0 ]
	exit $?
}
# N: that many free ports of loopback, below the range of outgoing connections. None is given to another test within a quarter of an
# hour: it is free, too, until somebody listens there.
free_ports() {
	python3 - "$1" <<'PY'
import fcntl, os, random, socket, sys, tempfile, time
given = os.path.join(tempfile.gettempdir(), "gatepost-ports.%d" % os.getuid())
os.makedirs(given, mode=0o700, exist_ok=True)
lock = os.open(given, os.O_RDONLY)
fcntl.flock(lock, fcntl.LOCK_EX)

def take(p):
    path = os.path.join(given, str(p))
    try:
        if time.time() - os.stat(path).st_mtime < 900:
            return False
    except FileNotFoundError:
        pass
    with open(path, "w"):
        os.utime(path)
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", p))
        except OSError:
            return False
    return True

got = []
while len(got) < int(sys.argv[1]):
    p = random.randrange(11000, 31000)
    if take(p):
        got.append(p)
print(*got)
PY
}
wait_for() { # SECONDS command…: until it succeeds
	local end=$(($(date +%s%N) + $1 * 1000000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%N)" -lt "$end" ] || return 1
		sleep 0.05
	done
}
listening() { (exec 3<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null; } # PORT [ADDRESS]
gp() { "$BIN/gatepost" -c "$DIR/etc" "$@"; }
pc() { "$BIN/postconf" -c "$DIR/etc" "$@"; }
# new_instance NAME [init options]: make $T/NAME (not started); sets DIR, smtp, submission, submissions.
new_instance() {
	local name=$1
	shift
	read -r smtp submission submissions < <(free_ports 3)
	DIR=$T/$name
	"$BIN/gatepost" init "$DIR" --smtp-port "$smtp" --submission-port "$submission" \
		--submissions-port "$submissions" "$@" >"$T/$name.init" 2>&1 || { cat "$T/$name.init"; return 1; }
	pc inet_interfaces=loopback-only
	[ -n "${GATEPOST_KEEP_FAILURE_DELAY:-}" ] || sed -i 's/^#* *auth_failure_delay.*//; $a auth_failure_delay = 0 secs' "$DIR/etc/auth.conf"
}
add_user() { # NAME PASSWORD [FULL NAME]
	printf '%s\n' "$2" | gp user add "$1" --name "${3:-}" >>"$T/users.out" 2>&1 || { cat "$T/users.out"; return 1; }
}
start_instance() { gp start || { tail -n 20 "$DIR/mail.log"; return 1; }; }
instance() {
	new_instance "$@" && add_user user1@example1.com SecurePass User1 && add_user john@example.org summersun John &&
		start_instance || { echo "the instance did not start"; FAILED=$((FAILED + 1)); finish; }
}
# sink PORT DIR: a server that writes every message it gets into DIR.
sink() {
	mkdir -p "$2"
	python3 "$ROOT/test/sink.py" "$1" "$2" >"$2.log" 2>&1 &
	PIDS+=($!)
	wait_for 5 listening "$1" "${SINK_HOST:-127.0.0.1}"
}
maillog() { cat "$DIR/mail.log"; }
