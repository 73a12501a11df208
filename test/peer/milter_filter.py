#!/usr/bin/env python3
"""milter_filter.py WHERE RULES LOG: a mail filter for tests. WHERE: a port of loopback, or the path of a UNIX socket. LOG gets a
line for each thing that it is told. RULES is read anew for each; its lines are EVENT ANSWER…, in order:

    connect|helo|mail|rcpt|data|unknown|header|eoh|body|eom  continue|accept|reject|tempfail|discard|shutdown|skip|progress
    … reply TEXT | raw HEX | hang | close | sleep SECONDS
    eom  add NAME VALUE | insert N NAME VALUE | change N NAME VALUE | sender ADDRESS [ARGS] | rcpt+ ADDRESS [ARGS]
         | rcpt- ADDRESS | body TEXT | bodyfile PATH | quarantine WHY
    version N | actions HEX | protocol HEX | macros STAGE NAMES          at the negotiation
VALUE and TEXT may have \\n and the like. What is not named is continued."""
import os
import socket
import struct
import sys
import threading
import time

where, rules_path, log_path = sys.argv[1:4]
NAMES = {"C": "connect", "H": "helo", "M": "mail", "R": "rcpt", "T": "data", "U": "unknown", "L": "header", "N": "eoh",
         "B": "body", "E": "eom", "A": "abort", "Q": "quit"}
# SMFIP_NR_…: told, but no answer is expected
NO_REPLY = {"connect": 0x1000, "helo": 0x2000, "mail": 0x4000, "rcpt": 0x8000, "data": 0x10000, "unknown": 0x20000,
            "eoh": 0x40000, "body": 0x80000, "header": 0x80}
VERDICTS = {"continue": "c", "accept": "a", "reject": "r", "tempfail": "t", "discard": "d", "shutdown": "4", "skip": "s",
            "conn_fail": "f"}
lock = threading.Lock()


def rules():
    with open(rules_path) as f:
        return [line.rstrip("\n").split(" ") for line in f if line.strip()]


def text(words):
    return " ".join(words).encode().decode("unicode_escape").encode("latin-1")


class Filter(threading.Thread):
    count = 0

    def __init__(self, conn):
        super().__init__(daemon=True)
        self.conn, self.macros, self.protocol = conn, {}, 0
        Filter.count += 1
        self.number, self.body = Filter.count, 0

    def log(self, what):
        with lock, open(log_path, "a", encoding="utf-8", errors="backslashreplace") as f:
            f.write("%d %s\n" % (self.number, what.replace("\n", "\\n").replace("\r", "\\r")))

    def exactly(self, n):
        data = b""
        while len(data) < n:
            piece = self.conn.recv(n - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def say(self, command, data=b""):
        self.conn.sendall(struct.pack("!I", len(data) + 1) + command.encode() + data)

    def negotiate(self, data):
        version, actions, protocol = struct.unpack("!III", data[:12])
        self.log("negotiate %d %x %x" % (version, actions, protocol))
        macros, mine = b"", {"version": version, "actions": actions, "protocol": 0}
        for r in rules():
            if r[0] == "version":
                mine["version"] = int(r[1])
            elif r[0] in mine:
                mine[r[0]] = int(r[1], 16)
            elif r[0] == "macros":
                macros += struct.pack("!I", int(r[1])) + " ".join(r[2:]).encode() + b"\0"
        self.protocol = mine["protocol"]
        self.say("O", struct.pack("!III", mine["version"], mine["actions"], self.protocol) + macros)

    def shown(self, command, data):
        parts = data.split(b"\0")[:-1] if command != "B" else []
        if command == "C":
            name, rest = data.split(b"\0", 1)
            return "%s %c %d %s" % (name.decode(), rest[0], struct.unpack("!H", rest[1:3])[0], rest[3:-1].decode())
        if command == "B":
            self.body += len(data)
            return "%d %s" % (len(data), data[:200].decode("utf-8", "replace"))
        return " ".join(p.decode("utf-8", "replace") for p in parts)

    def change(self, r):
        number = lambda n: struct.pack("!I", int(n))
        z = lambda words: text(words) + b"\0"
        if r[0] == "add":
            self.say("h", z(r[1:2]) + z(r[2:]))
        elif r[0] == "insert":
            self.say("i", number(r[1]) + z(r[2:3]) + z(r[3:]))
        elif r[0] == "change":
            self.say("m", number(r[1]) + z(r[2:3]) + z(r[3:]))
        elif r[0] == "sender":
            self.say("e", z(r[1:2]) + (z(r[2:]) if r[2:] else b""))
        elif r[0] == "rcpt+":
            self.say("2" if r[2:] else "+", z(r[1:2]) + (z(r[2:]) if r[2:] else b""))
        elif r[0] == "rcpt-":
            self.say("-", z(r[1:2]))
        elif r[0] == "body":
            self.say("b", text(r[1:]))
        elif r[0] == "bodyfile":
            with open(r[1], "rb") as f:
                while piece := f.read(65535):
                    self.say("b", piece)
        elif r[0] == "quarantine":
            self.say("q", z(r[1:]))
        elif r[0] == "progress":
            self.say("p")
        elif r[0] == "sleep":
            time.sleep(float(r[1]))
        elif r[0] == "raw":
            self.conn.sendall(bytes.fromhex("".join(r[1:])))
        else:
            return False
        return True

    def answer(self, name):
        for r in (r[1:] for r in rules() if r[0] == name):
            if r[0] == "hang":
                time.sleep(3600)
            elif r[0] == "close":
                raise EOFError
            elif self.change(r):
                continue
            elif r[0] == "reply":
                return self.say("y", text(r[1:]) + b"\0")
            elif r[0] == "nothing":
                return None
            elif r[0] in VERDICTS:
                return self.say(VERDICTS[r[0]])
            else:
                self.log("no such answer: " + " ".join(r))
        self.say("c")

    def run(self):
        try:
            while True:
                n = struct.unpack("!I", self.exactly(4))[0]
                data = self.exactly(n)
                command, data = chr(data[0]), data[1:]
                if command == "O":
                    self.negotiate(data)
                    continue
                if command == "D":
                    parts = data[1:].split(b"\0")[:-1]
                    self.macros[chr(data[0])] = dict(zip(parts[0::2], parts[1::2]))
                    self.log("macros " + NAMES[chr(data[0])] + " " + " ".join(
                        "%s=%s" % (k.decode(), v.decode()) for k, v in zip(parts[0::2], parts[1::2])))
                    continue
                name = NAMES[command]
                self.log((name + " " + self.shown(command, data)).rstrip())
                if command == "Q":
                    break
                if command == "E":
                    self.log("body_octets %d" % self.body)
                    self.body = 0
                if command == "A":
                    self.body = 0
                elif not self.protocol & NO_REPLY.get(name, 0):
                    self.answer(name)
        except (EOFError, OSError, struct.error):
            self.log("closed")
        self.conn.close()


if where.isdigit():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(where)))
else:
    if os.path.exists(where):
        os.unlink(where)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(where)
    os.chmod(where, 0o666)
listener.listen(64)
while True:
    Filter(listener.accept()[0]).start()
