#!/usr/bin/env python3
"""sink.py PORT [DIR]: a small SMTP server on loopback that shows what it receives; with DIR, each message becomes a
file there (wire form, dots unstuffed), with its envelope in the file NAME.env."""
import os
import socketserver
import sys


class Session(socketserver.StreamRequestHandler):
    count = 0

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def content(self):
        lines = []
        while True:
            line = self.rfile.readline()
            if line in (b".\r\n", b""):
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
        envelope = []
        self.say("220 second.example.net ESMTP")
        while True:
            line = self.rfile.readline()
            if not line:
                return
            word = line[:4].upper()
            if word == b"EHLO":
                self.wfile.write(b"250-second.example.net\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 SIZE\r\n")
            elif word in (b"MAIL", b"RCPT"):
                if word == b"MAIL":
                    envelope = []
                envelope.append(line.decode("utf-8", "replace").strip())
                self.say("250 2.1.0 Ok")
            elif word == b"DATA":
                self.say("354 go on")
                self.keep(envelope, self.content())
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
with Server(("127.0.0.1", int(sys.argv[1])), Session) as server:
    server.serve_forever()
