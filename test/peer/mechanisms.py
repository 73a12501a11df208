"""mechanisms.py HOW MECHANISM USER PASSWORD [NAME=VALUE...]: log in once and say what was said.

HOW is "socket:PATH" (Dovecot's authentication protocol) or "smtp:PORT" (STARTTLS), "smtps:PORT". The transcript goes out,
base64 decoded, its last line is the end: "OK ...", "FAIL ..." or the SMTP reply.
  minor=N        the minor version that is spoken on a socket (2)
  param=TEXT     one more parameter of AUTH, several times
  secured=no     leave "secured" away
  binding=TYPE   tls-unique, tls-server-end-point: bind the channel; on a socket its data are "channel data"
  data=TEXT      other data for the binding
  flag=y         what the client says of channel binding, in place of n
  initial=no     wait for a challenge first
  authzid=NAME   act as him
  final=TEXT     say that instead of the last message
  tls=1.2        with that version
  cert=FILE      a client certificate and its key
"""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import sys

b64 = lambda x: base64.b64encode(x).decode()


class Scram:
    def __init__(self, mech, user, password, opt):
        self.hash = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}[mech[6:].replace("-PLUS", "")]
        self.user, self.password, self.opt = user, password, opt
        self.flag = "p=" + opt["binding"] if "binding" in opt else opt.get("flag", "n")
        self.turn = 0
        self.binding = lambda: b""

    def answer(self, challenge):
        self.turn += 1
        if self.turn == 1:
            authzid = "a=" + self.opt["authzid"] if "authzid" in self.opt else ""
            self.gs2 = "%s,%s," % (self.flag, authzid)
            self.nonce = b64(os.urandom(12))
            self.bare = "n=%s,r=%s" % (self.user.replace("=", "=3D").replace(",", "=2C"), self.nonce)
            return (self.gs2 + self.bare).encode()
        if self.turn == 2:
            fields = dict(f.split("=", 1) for f in challenge.decode().split(","))
            assert fields["r"].startswith(self.nonce) and len(fields["r"]) > len(self.nonce) + 10
            assert int(fields["i"]) >= 4096
            c = b64(self.gs2.encode() + (self.binding() if self.flag[0] == "p" else b""))
            without = "c=%s,r=%s" % (c, fields["r"])
            message = ",".join((self.bare, challenge.decode(), without)).encode()
            mac = lambda key, text: hmac.new(key, text, self.hash).digest()
            salted = hashlib.pbkdf2_hmac(self.hash, self.password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
            client = mac(salted, b"Client Key")
            signature = mac(hashlib.new(self.hash, client).digest(), message)
            self.want = "v=" + b64(mac(mac(salted, b"Server Key"), message))
            proof = b64(bytes(a ^ b for a, b in zip(client, signature)))
            return self.opt["final"].encode() if "final" in self.opt else ("%s,p=%s" % (without, proof)).encode()
        print("the server's signature is %s" % ("right" if challenge.decode() == self.want else "WRONG"))
        return b""


class Simple:
    """All others: answers in turn, made of what was asked."""

    def __init__(self, mech, user, password, opt):
        self.opt, self.turn = opt, 0
        zid = opt.get("authzid", "")
        self.say = {
            "PLAIN": [lambda c: "%s\0%s\0%s" % (zid, user, password)],
            "LOGIN": [lambda c: user, lambda c: password],
            "CRAM-MD5": [lambda c: "%s %s" % (user, hmac.new(password.encode(), c, "md5").hexdigest())],
            "EXTERNAL": [lambda c: zid or user],
            "ANONYMOUS": [lambda c: user],
            "OAUTHBEARER": [lambda c: "n,a=%s,\1auth=Bearer %s\1\1" % (user, password), lambda c: "\1"],
            "XOAUTH2": [lambda c: "user=%s\1auth=Bearer %s\1\1" % (user, password), lambda c: ""],
        }[mech]
        self.first = mech not in ("LOGIN", "CRAM-MD5")

    def answer(self, challenge):
        self.turn += 1
        return self.say[self.turn - 1](challenge).encode()


def client_of(mech, user, password, opt):
    return (Scram if mech.startswith("SCRAM") else Simple)(mech, user, password, opt)


def over_socket(path, mech, user, password, opt):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(path)
    f = s.makefile("rw", newline="\n", encoding="utf-8")

    def line():
        text = f.readline().rstrip("\n")
        if not text:
            sys.exit("the service closed the connection")
        print("S: " + text.replace("\t", " "))
        return text.split("\t")

    def say(*fields):
        print("C: " + " ".join(fields))
        f.write("\t".join(fields) + "\n")
        f.flush()

    say("VERSION", "1", opt.get("minor", "2"))
    say("CPID", str(os.getpid()))
    while line()[0] != "DONE":
        pass
    c = client_of(mech, user, password, opt)
    c.binding = lambda: opt.get("data", "channel data").encode()
    fields = ["AUTH", "1", mech, "service=smtp", "rip=127.0.0.1"] + opt["param"]
    if opt.get("secured") != "no":
        fields.append("secured")
    if opt.get("initial") != "no" and getattr(c, "first", True):
        fields.append("resp=" + b64(c.answer(b"")))
    say(*fields)
    while True:
        got = line()
        if got[0] != "CONT":
            for x in got[1:]:
                if x.startswith("resp="):
                    print("last word: " + base64.b64decode(x[5:]).decode())
                    if got[0] == "OK" and isinstance(c, Scram):
                        c.turn = 2
                        c.answer(base64.b64decode(x[5:]))
            return
        if got[2:3] == ["#"]:
            say("CONT", "1", "#", "channel_binding=" + b64(b"channel data"))
            continue
        challenge = base64.b64decode(got[2] if len(got) > 2 else "")
        print("decoded: %s" % challenge.decode())
        if opt.get("cancel"):
            say("CANCEL", "1")
            say("AUTH", "2", "PLAIN", "service=smtp", "resp=" + b64(("\0%s\0%s" % (user, password)).encode()))
            line()
            line()
            return
        say("CONT", "1", b64(c.answer(challenge)))


def context_of(opt):
    x = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    x.check_hostname = False
    x.verify_mode = ssl.CERT_NONE
    if opt.get("tls") == "1.2":
        x.maximum_version = ssl.TLSVersion.TLSv1_2
    if "cert" in opt:
        x.load_cert_chain(opt["cert"])
    return x


def channel_data(s, kind):
    if kind == "tls-unique":
        return s.get_channel_binding("tls-unique")
    # RFC 5929 sec. 4.1, for a certificate that is signed with SHA-256
    return hashlib.sha256(s.getpeercert(True)).digest()


def over_smtp(port, mech, user, password, opt, wrapped):
    s = socket.create_connection(("127.0.0.1", port), timeout=20)
    state = {"s": s, "f": None}

    def line():
        while True:
            text = state["f"].readline().rstrip("\r\n")
            if not text:
                sys.exit("the server closed the connection")
            print("S: " + text)
            if text[3:4] != "-":
                return text

    def say(text):
        print("C: " + text)
        state["f"].write(text + "\r\n")
        state["f"].flush()

    def tls():
        state["s"] = context_of(opt).wrap_socket(state["s"], server_hostname=opt.get("sni", "mail.example1.com"))
        state["f"] = state["s"].makefile("rw", newline="\n", encoding="utf-8")

    if wrapped:
        tls()
    else:
        state["f"] = s.makefile("rw", newline="\n", encoding="utf-8")
    line()
    say("EHLO client.example")
    line()
    if not wrapped and opt.get("tls") != "no":
        say("STARTTLS")
        line()
        tls()
        say("EHLO client.example")
        line()
    c = client_of(mech, user, password, opt)
    c.binding = lambda: opt["data"].encode() if "data" in opt else channel_data(state["s"], opt["binding"])
    if opt.get("initial") != "no" and getattr(c, "first", True):
        say("AUTH %s %s" % (mech, b64(c.answer(b"")) or "="))
    else:
        say("AUTH " + mech)
    text = line()
    while text.startswith("334"):
        challenge = base64.b64decode(text[4:])
        print("decoded: %s" % challenge.decode())
        say(b64(c.answer(challenge)))
        text = line()
    print(text)


def main():
    how, mech, user, password = sys.argv[1:5]
    opt = {"param": []}
    for a in sys.argv[5:]:
        name, value = a.split("=", 1)
        if name == "param":
            opt["param"].append(value)
        else:
            opt[name] = value
    kind, where = how.split(":", 1)
    if kind == "socket":
        over_socket(where, mech, user, password, opt)
    else:
        over_smtp(int(where), mech, user, password, opt, kind == "smtps")


main()
