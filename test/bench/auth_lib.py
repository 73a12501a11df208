"""What auth and auth_timing share: an instance to measure, and a client of its authentication socket."""
import base64
import os
import random
import select
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("BIN", os.path.join(ROOT, "build/bin"))
MECHS = "plain login scram-sha-256"


def free_ports(n):
    got = []
    while len(got) < n:
        s = socket.socket()
        port = random.randrange(11000, 31000)
        try:
            s.bind(("127.0.0.1", port))
            got.append(port)
        except OSError:
            pass
        s.close()
    return got


class Instance:
    """A Gatepost with users {name: stored password} in SQLite; passdbs: blocks of auth.conf in place of the usual one."""

    def __init__(self, users, passdbs=None, settings=""):
        self.dir = tempfile.mkdtemp(prefix="gatepost-bench.")
        os.chmod(self.dir, 0o755)
        a, b, c = free_ports(3)
        run([BIN + "/gatepost", "init", self.dir + "/i", "--hostname", "mail.example1.test", "--smtp-port", str(a),
             "--submission-port", str(b), "--submissions-port", str(c)])
        conf = self.dir + "/i/etc/auth.conf"
        text = open(conf).read()
        text = text.replace("auth_mechanisms = plain login", "auth_mechanisms = " + MECHS)
        text = text.replace("auth_failure_delay = 2 secs", "auth_failure_delay = 0")
        if passdbs is not None:
            block = text[text.index("passdb {"):text.index("userdb {")]
            text = text.replace(block, passdbs.replace("SQL", block).replace("DIR", self.dir))
        open(conf, "w").write(text + settings)
        self.fill(users)
        self.ctl("start")
        self.socket = self.dir + "/i/spool/private/auth"

    def fill(self, users):
        import sqlite3
        run([BIN + "/gatepost", "-c", self.dir + "/i/etc", "user", "add", "first@example1.com"], input=b"x\n")
        db = sqlite3.connect(self.dir + "/i/data/users.db")
        db.executemany("INSERT OR REPLACE INTO users VALUES(?, ?, '')", users.items())
        db.commit()
        db.close()

    def ctl(self, *words):
        return run([BIN + "/gatepost", "-c", self.dir + "/i/etc", *words])

    def authd(self):
        master = open(self.dir + "/i/spool/pid/master.pid").read().strip()
        return int(subprocess.check_output(["pgrep", "-x", "authd", "-P", master]).split()[0])

    def close(self):
        try:
            self.ctl("stop")
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


def run(command, **kw):
    return subprocess.run(command, check=True, capture_output=True, **kw).stdout


def make(scheme, password="SecurePass"):
    """A stored password of that scheme."""
    return run([BIN + "/gatepost", "pw", "-s", scheme, "-p", password]).decode().strip()


def cpu_ns(pid):
    """Processor time of all threads, in nanoseconds."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            total += int(open("/proc/%d/task/%s/schedstat" % (pid, task)).read().split()[0])
        except OSError:
            pass
    return total


def b64(data):
    return base64.b64encode(data).decode()


class Client:
    """One connection; on_line(id, word, rest, ns) for each answer."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)
        self.s.sendall(b"VERSION\t1\t2\nCPID\t%d\n" % os.getpid())
        self.buf = b""
        while not self.buf.endswith(b"DONE\n"):
            self.buf += self.s.recv(65536)
        self.buf = b""
        self.last = 0

    def auth(self, mech, response, rip="127.0.0.1"):
        self.last += 1
        now = time.perf_counter_ns()
        self.s.sendall(("AUTH\t%d\t%s\tservice=smtp\trip=%s\tsecured\tresp=%s\n" % (self.last, mech, rip, b64(response))).encode())
        return self.last, now

    def cont(self, number, data):
        self.s.sendall(("CONT\t%d\t%s\n" % (number, b64(data))).encode())

    def answers(self, wait_s):
        """What comes within that time: a list of (id, word, the rest of the line, ns)."""
        if not select.select([self.s], [], [], max(0, wait_s))[0]:
            return []
        data = self.s.recv(65536)
        now = time.perf_counter_ns()
        if not data:
            raise ConnectionError("the authentication service closed the connection")
        *lines, self.buf = (self.buf + data).split(b"\n")
        got = []
        for line in lines:
            f = line.decode().split("\t", 2) + [""]
            got.append((int(f[1]), f[0], f[2], now))
        return got
