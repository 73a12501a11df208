"""auth_words.py CLIENT USERDB MASTER LOGIN LEGACY: say every word of Dovecot's protocol on these sockets of an authd.

One line for each thing looked at, "ok NAME" or "not ok NAME: what was said"; the last line is "all said". The set-up is that of
test/peer/auth_words.
"""
import base64
import os
import re
import socket
import sys
import time

client, userdb, master, login, legacy = sys.argv[1:]
U = "user1@example1.com"


class Conn:
    """minor None: nothing is said at first; cpid: the handshake of a client, to its end."""

    def __init__(self, path, minor=4, cpid=None):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(5)
        self.s.connect(path)
        self.f = self.s.makefile("rb")
        self.greeting = []
        if minor is not None:
            self.say("VERSION\t1\t%d" % minor)
        if cpid:
            self.say("CPID\t%d" % cpid)
            while self.greeting[-1:] not in (["DONE"], ["closed"]):
                self.greeting.append(self.line())
            self.cookie = [x.split("\t")[1] for x in self.greeting if x.startswith("COOKIE")][0]
        elif minor is not None:
            self.line(), self.line()

    def say(self, line):
        try:
            self.s.sendall(line.encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def line(self):
        try:
            text = self.f.readline()
        except ConnectionResetError:
            text = b""
        return text.decode().rstrip("\n") if text else "closed"

    def ask(self, line):
        return self.say(line).line()

    def end(self):
        self.f.close()
        self.s.close()


def resp(user, password="SecurePass"):
    return "resp=" + base64.b64encode(("\0%s\0%s" % (user, password)).encode()).decode()


def look(name, got, want):
    if re.fullmatch(want, got):
        print("ok", name, flush=True)
    else:
        print("not ok %s: %r" % (name, got), flush=True)


# --- the handshake, at each minor
for minor in range(5):
    c = Conn(client, minor, 7)
    look("minor %d: -PLUS from 3 on" % minor, str(any("-PLUS" in x for x in c.greeting)), str(minor >= 3))
    look("minor %d: a login" % minor, c.ask("AUTH\t1\tPLAIN\tservice=smtp\tsecured\t" + resp(U)), "OK\t1\tuser=" + U)
    c.ask("AUTH\t3\tLOGIN\tservice=smtp")
    look("minor %d: CANCEL is answered from 4 on" % minor,
         c.say("CANCEL\t3").ask("AUTH\t4\tPLAIN\tservice=smtp\t" + resp(U)),
         "CANCELLED\t3" if minor == 4 else "OK\t4\t.*")
c = Conn(client, None)
look("VERSION comes first", c.line(), "VERSION\t1\t4")
look("another major ends it", c.say("VERSION\t2\t0").line(), "closed")
began = time.time()
c = Conn(legacy, None)
lines = [c.line()]
while lines[-1] not in ("DONE", "closed"):
    lines.append(c.line())
look("a legacy socket greets at once, without -PLUS",
     "%s %s %s" % (lines[-1], any("-PLUS" in x for x in lines), time.time() - began < .2), "DONE False True")

# --- fields
c = Conn(client, 4, 7)
look("original_user=", c.ask("AUTH\t1\tPLAIN\tservice=smtp\t" + resp("User1@Example1.com")),
     "OK\t1\tuser=" + U + "\toriginal_user=User1@Example1.com")
look("auth_user= of a master", c.ask("AUTH\t2\tPLAIN\tservice=smtp\t" + resp(U + "*master", "MasterPass")),
     "OK\t2\tuser=" + U + "\tauth_user=master")
look("forward_fields=", c.ask("AUTH\t3\tPLAIN\tservice=smtp\tforward_fields=a=b\1tc=d\t" + resp(U)),
     "OK\t3\tuser=" + U + "\tforward_a=b\tforward_c=d")
look("fields that are not for the client", c.ask("AUTH\t4\tPLAIN\tservice=smtp\t" + resp("quick@example1.com")),
     "OK\t4\tuser=quick@example1.com\tcolor=red")
look("check_client_fp without a certificate", c.ask("AUTH\t5\tPLAIN\tservice=smtp\tsecured\t" + resp("print@example1.com")),
     "FAIL\t5\tuser=print@example1.com")
look("check_client_fp with the right one",
     c.ask("AUTH\t6\tPLAIN\tservice=smtp\tsecured\tvalid-client-cert\tssl_client_cert_fp=abcd\t" + resp("print@example1.com")),
     "OK\t6\tuser=print@example1.com")
look("nodelay, for a client of 2.4", c.ask("AUTH\t7\tPLAIN\tservice=smtp\t" + resp("quick@example1.com", "x")),
     "FAIL\t7\tuser=quick@example1.com")
look("nodelay, for a client of 2.3",
     Conn(client, 2, 7).ask("AUTH\t7\tPLAIN\tservice=smtp\t" + resp("quick@example1.com", "x")),
     "FAIL\t7\tuser=quick@example1.com\tnodelay")

# --- REQUEST
l, m = Conn(login, 2, 4242), Conn(master, 1)


def good(number, user):
    return l.ask("AUTH\t%d\tPLAIN\tservice=imap\tsession=s1\tlocal_name=mx\t%s" % (number, resp(user)))


look("a login on a login socket", good(1, "User1@Example1.com"), "OK\t1\tuser=" + U + ".*")
look("REQUEST with another cookie", m.ask("REQUEST\t9\t4242\t1\t" + "0" * 32), "FAIL\t9")
look("REQUEST with another process", m.ask("REQUEST\t9\t4243\t1\t" + l.cookie), "FAIL\t9")
look("REQUEST with another number", m.ask("REQUEST\t9\t4242\t2\t" + l.cookie), "FAIL\t9")
look("REQUEST", m.ask("REQUEST\t10\t4242\t1\t" + l.cookie),
     "USER\t10\t" + U + "\tname=User1\t.*auth_mech=PLAIN\tauth_user=User1@Example1.com\tlocal_name=mx")
look("REQUEST once more", m.ask("REQUEST\t11\t4242\t1\t" + l.cookie), "FAIL\t11")
ask = "REQUEST\t%%d\t4242\t2\t%s\tsession_pid=%d\trequest_auth_token" % (l.cookie, os.getpid())
good(2, U)
first = m.ask(ask % 12)
look("a token", first, "USER\t12\t.*\tauth_token=[0-9a-f]{40}\t.*")
good(2, U)
look("the same session has the same token", str(m.ask(ask % 13) == first.replace("\t12\t", "\t13\t", 1)), "True")
good(2, U)
look("session_pid= of another process", m.ask("REQUEST\t14\t4242\t2\t%s\tsession_pid=1" % l.cookie), "FAIL\t14")
good(3, "fetched@example1.com")
look("driver = prefetch", m.ask("REQUEST\t15\t4242\t3\t" + l.cookie),
     "USER\t15\tfetched@example1.com\tuid=4711\thome=/home/f\tclient_service=x\tauth_mech=PLAIN\tlocal_name=mx")
l.ask("AUTH\t4\tPLAIN\tservice=imap\t" + resp(U + "*master", "MasterPass"))
look("REQUEST for a master's login", m.ask("REQUEST\t16\t4242\t4\t" + l.cookie),
     "USER\t16\t" + U + "\t.*master_user=master\tauth_mech=PLAIN\tauth_user=master")
look("nologin", good(5, "stays@example1.com"), "FAIL\t5\tuser=stays@example1.com\tcode=user_disabled")
look("… is none to ask for", m.ask("REQUEST\t17\t4242\t5\t" + l.cookie), "FAIL\t17")
l.ask("AUTH\t6\tANONYMOUS\tservice=imap\tresp=eA==")
look("REQUEST for somebody whom no userdb knows", m.ask("REQUEST\t18\t4242\t6\t" + l.cookie), "NOTFOUND\t18")
c = Conn(client, 2, 777)
c.ask("AUTH\t1\tPLAIN\tservice=smtp\t" + resp(U))
look("a login on another socket is for nobody to ask", m.ask("REQUEST\t19\t777\t1\t" + c.cookie), "FAIL\t19")
good(7, U)
l.end()
time.sleep(.1)
look("the client is gone", m.ask("REQUEST\t20\t4242\t7\t" + l.cookie), "FAIL\t20")
look("half a REQUEST ends it", Conn(master, 1).ask("REQUEST\t1\t2"), "closed")
look("REQUEST on a userdb socket ends it", Conn(userdb, 1).ask("REQUEST\t1\t4242\t1\t" + "0" * 32), "closed")
look("CPID twice on a login socket ends it", Conn(login, 2, 1).ask("CPID\t2"), "closed")

# --- USER, PASS, LIST
look("USER with all its parameters",
     m.ask("USER\t1\t" + U + "\tservice=smtp\trip=192.0.2.1\treal_rip=192.0.2.2\tlport=25\tsession=x\tdebug"),
     "USER\t1\t" + U + "\tname=User1.*")
look("USER with protocol=", m.ask("USER\t2\t" + U + "\tprotocol=smtp"), "USER\t2\t" + U + "\tname=User1.*")
look("USER: nobody", m.ask("USER\t3\tnobody\tservice=smtp"), "NOTFOUND\t3")
look("PASS", m.ask("PASS\t4\t" + U + "\tservice=smtp"), "PASS\t4\tuser=" + U)
look("PASS: nobody", m.ask("PASS\t5\tnobody\tservice=smtp"), "NOTFOUND\t5")
look("PASS on a userdb socket", Conn(userdb, 1).ask("PASS\t6\t" + U + "\tservice=smtp"), "FAIL\t6.*")
got = [m.ask("LIST\t7\tuser=user*")]
while not got[-1].startswith(("DONE", "closed")):
    got.append(m.line())
look("LIST", " ".join(sorted(got)), "DONE\t7\t LIST\t7\tuser1@example1.com LIST\t7\tuser2@example1.com")

# --- the cache
m.ask("CACHE-FLUSH\t1")
look("CACHE-STATUS of nothing", m.ask("CACHE-STATUS\t2\treset"),
     r"OK\t2\thits=\d+\tmisses=\d+\tpos_entries=0\tneg_entries=0\tpos_size=0\tneg_size=0\tused_size=0\tmax_size=\d+")
for line in ("PASS\t3\t%s\tservice=smtp" % U, "PASS\t3\t%s\tservice=smtp" % U, "USER\t4\tnobody\tservice=smtp"):
    m.ask(line)
look("CACHE-STATUS", m.ask("CACHE-STATUS\t5"),
     r"OK\t5\thits=1\tmisses=2\tpos_entries=1\tneg_entries=1\tpos_size=[1-9]\d*\tneg_size=[1-9]\d*\tused_size=\d+\tmax_size=\d+")
look("CACHE-FLUSH of some", m.ask("CACHE-FLUSH\t6\tno?ody\tx*"), "OK\t6\t1")
look("CACHE-FLUSH of the rest", m.ask("CACHE-FLUSH\t7"), "OK\t7\t1")
look("CACHE-FLUSH on a userdb socket ends it", Conn(userdb, 1).ask("CACHE-FLUSH\t1"), "closed")
look("CACHE-STATUS on a userdb socket ends it", Conn(userdb, 1).ask("CACHE-STATUS\t1"), "closed")
look("CPID on a master socket ends it", Conn(master, 1).ask("CPID\t1"), "closed")
look("WATCH on a master socket ends it", Conn(master, 1).ask("WATCH\t1\tsession=0123456789abcdef"), "closed")
print("all said")
