#!/usr/bin/env python3
"""sink.py PORT [DIR]: a small SMTP (or, when it is greeted so, LMTP) server on loopback that shows what it receives; with
DIR, each message becomes a file there (wire form, dots unstuffed), with its envelope in the file NAME.env. SINK_EHLO: the
keywords that it announces, separated by commas, in place of PIPELINING, 8BITMIME, SMTPUTF8, DSN, SIZE; BDAT is taken.
SINK_HOST: its address, in place of 127.0.0.1. It takes an LF alone for the end of a line, as careless servers do. A recipient whose name begins with "refused" is refused."""
import os
import socketserver
import sys


EHLO = os.environ.get("SINK_EHLO", "PIPELINING,8BITMIME,SMTPUTF8,DSN,SIZE")


class Session(socketserver.StreamRequestHandler):
    count = 0

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def content(self):
        lines = []
        while True:
            line = self.rfile.readline()
            if line in (b".\r\n", b".\n", b""):
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)

    def keep(self, envelope, content):
        print("\n".join(envelope), content.decode("utf-8", "replace").replace("\r\n", "\n"), ".", sep="\n", flush=True)
        if len(sys.argv) > 2:
            Session.count += 1
            name = os.path.join(sys.argv[2], f"{os.getpid()}.{Session.count}")
            with open(name + ".env", "w") as f:
                f.write("\n".join(envelope) + "\n")
            with open(name, "wb") as f:
                f.write(content)

    def handle(self):
        envelope, chunks, mails, taken, lmtp = [], b"", 0, 0, False
        self.say("220 second.example.net ESMTP")
        while True:
            line = self.rfile.readline()
            if not line:
                return
            word = line[:4].upper()
            if word in (b"EHLO", b"LHLO"):
                lmtp = word == b"LHLO"
                lines = ["second.example.net", *filter(None, EHLO.split(","))]
                for i, keyword in enumerate(lines):
                    self.say(("250 " if i + 1 == len(lines) else "250-") + keyword)
            elif word == b"RCPT" and line[8:].lstrip(b" <").startswith(b"refused"):
                self.say("550 5.1.1 not here")
            elif word in (b"MAIL", b"RCPT"):
                taken += word == b"RCPT"
                if word == b"MAIL":
                    envelope, taken = [], 0
                    mails += 1
                    print("session of %d" % mails, flush=True)
                envelope.append(line.decode("utf-8", "replace").strip())
                self.say("250 2.1.0 Ok")
            elif word == b"DATA" and not taken:
                self.say("554 5.5.1 no recipients")
            elif word == b"DATA":
                self.say("354 go on")
                self.keep(envelope, self.content())
                for _ in range(taken if lmtp else 1):
                    self.say("250 2.0.0 taken")
            elif word == b"BDAT":
                words = line.split()
                chunks += self.rfile.read(int(words[1]))
                if words[2:] == [b"LAST"]:
                    self.keep(envelope, chunks)
                    chunks = b""
                self.say("250 2.0.0 taken")
            elif word == b"QUIT":
                self.say("221 2.0.0 bye")
                return
            else:
                self.say("250 2.0.0 Ok")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if len(sys.argv) < 2:
    sys.exit(__doc__)
with Server((os.environ.get("SINK_HOST", "127.0.0.1"), int(sys.argv[1])), Session) as server:
    server.serve_forever()
