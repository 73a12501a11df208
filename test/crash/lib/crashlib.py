"""crashlib - what the crash tests share: an instance, a client, a sink that counts, an injector of faults (fault.c)."""
import json, os, re, shutil, signal, socket, socketserver, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT_BIN = os.environ.get("BIN", os.path.join(HERE, "../../../build/bin"))
passed = failed = 0


def check(sentence, good, why=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok - " if good else "not ok - ") + sentence, flush=True)
    if not good and why != "":
        print("    " + str(why)[:2000])


def finish(name):
    print("\n%s: %d passed, %d failed" % (name, passed, failed))
    sys.exit(failed > 0)


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def body(number, size):
    line = "%d .of the content\r\n" % number
    return (line * (size // len(line) + 1))[:max(size - size % len(line), len(line))]


class Refused(Exception):
    pass


class Client:
    """One SMTP session, command by command."""

    def __init__(self, port, timeout=15):
        self.s = socket.create_connection(("127.0.0.1", port), timeout)
        self.f = self.s.makefile("rb")
        self.want(b"2")
        self.ask("EHLO [127.0.0.1]", b"2")

    def want(self, code):
        while True:
            line = self.f.readline()
            if not line:
                raise ConnectionError("the session ended")
            if line[3:4] == b" ":
                break
        if not line.startswith(code):
            raise Refused(line.decode().strip())
        return line.decode().strip()

    def ask(self, line, code):
        self.s.sendall(line.encode() + b"\r\n")
        return self.want(code)

    def begin(self, number, size, rcpts=1):
        self.ask("MAIL FROM:<a@src.example>", b"250")
        for i in range(rcpts):
            self.ask("RCPT TO:<b%d@dst%d.example>" % (i, number % 3), b"250")
        self.ask("DATA", b"354")
        text = "Subject: %d\r\nX-Size: %d\r\n\r\n" % (number, size) + body(number, size)
        self.s.sendall(text.replace("\r\n.", "\r\n..").encode())

    def end(self):
        """The final dot; returns the queue id."""
        return self.ask(".", b"250").split()[-1]

    def close(self):
        self.f.close()
        self.s.close()


class Sink:
    """Counts what arrives, and whether it is whole. refuse: answer 451 to every recipient."""

    def __init__(self):
        self.seen, self.broken, self.refuse = {}, [], False
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, text):
                self.wfile.write(text.encode() + b"\r\n")

            def handle(self):
                rcpts = 0
                try:
                    self.say("220 sink ESMTP")
                    while line := self.rfile.readline():
                        verb = line[:4].upper()
                        if verb == b"EHLO":
                            self.say("250-sink\r\n250 PIPELINING")
                        elif verb in (b"MAIL", b"RSET"):
                            rcpts = 0
                            self.say("250 2.1.0 Ok")
                        elif verb == b"RCPT":
                            rcpts += not outer.refuse
                            self.say("451 4.3.0 not now" if outer.refuse else "250 2.1.5 Ok")
                        elif verb == b"DATA" and not rcpts:
                            self.say("554 5.5.1 no recipients")
                        elif verb == b"DATA":
                            self.say("354 go on")
                            lines = []
                            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                                lines.append(line[1:] if line.startswith(b".") else line)
                            if line:
                                outer.take(b"".join(lines).decode())
                                self.say("250 2.0.0 Ok")
                        elif verb == b"QUIT":
                            self.say("221 bye")
                            return
                        else:
                            self.say("250 2.0.0 Ok")
                except (ConnectionError, ValueError):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, text):
        number = int(re.search(r"^Subject: (\d+)\r$", text, re.M).group(1))
        size = int(re.search(r"^X-Size: (\d+)\r$", text, re.M).group(1))
        if text[text.index("\r\n\r\n") + 4:] != body(number, size):
            self.broken.append(number)
        self.seen[number] = self.seen.get(number, 0) + 1


class Instance:
    def __init__(self, bin, sink=None, settings={}, shim=None):
        self.base = tempfile.mkdtemp(prefix="gatepost-crash-")
        os.chmod(self.base, 0o755)
        self.bin = os.path.abspath(bin)
        self.shim = shim
        if shim:
            self.wrap()
        self.dir, self.etc, self.spool = self.base + "/i", self.base + "/i/etc", self.base + "/i/spool"
        self.log = self.spool + "/log"
        ports = free_ports(4)
        self.port = ports[0]
        subprocess.run([self.program("gatepost"), "init", self.dir, "--hostname", "crash.example", "--smtp-port", str(ports[0]),
            "--submission-port", str(ports[1]), "--submissions-port", str(ports[2]), "--relayhost",
            "[127.0.0.1]:%d" % (sink.port if sink else ports[3])], check=True, capture_output=True)
        settings = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "inet_interfaces": "loopback-only", **settings}
        with open(self.etc + "/main.cf", "a") as f:
            f.writelines("%s = %s\n" % s for s in settings.items())

    def wrap(self):
        """Programs with fault.so before smtpd and queued: scripts in their places, the real ones in bin/real."""
        os.makedirs(self.base + "/bin/real")
        for name in os.listdir(self.bin):
            if not os.path.isfile(self.bin + "/" + name):
                continue
            shutil.copy2(self.bin + "/" + name, self.base + "/bin/" + name)
        for name in ("smtpd", "queued"):
            os.rename("%s/bin/%s" % (self.base, name), "%s/bin/real/%s" % (self.base, name))
            with open("%s/bin/%s" % (self.base, name), "w") as f:
                f.write("#!/bin/sh\nexport FAULT_ROLE=%s FAULT_DIR=%s/fault LD_PRELOAD=%s\nexec %s/bin/real/%s \"$@\"\n"
                    % (name, self.base, self.shim, self.base, name))
            os.chmod("%s/bin/%s" % (self.base, name), 0o755)
        os.makedirs(self.base + "/fault")
        os.chmod(self.base + "/fault", 0o777)
        self.bin = self.base + "/bin"

    def program(self, name):
        return self.bin + "/" + name

    def start(self):
        r = subprocess.run([self.program("gatepost"), "-c", self.etc, "start"], capture_output=True, text=True)
        assert r.returncode == 0, r.stdout + r.stderr + open(self.dir + "/mail.log").read()[-2000:]
        end = time.time() + 60
        while time.time() < end:
            try:
                Client(self.port, 5).close()
                return
            except (OSError, Refused):
                time.sleep(0.02)
        raise RuntimeError("it takes no connections")

    def stop(self):
        subprocess.run([self.program("gatepost"), "-c", self.etc, "stop"], capture_output=True)

    def pids(self, name=None):
        """master's children, by the name of their program"""
        try:
            master = int(open(self.spool + "/pid/master.pid").read())
        except (OSError, ValueError):
            return []
        out = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(master)], capture_output=True, text=True).stdout
        all = [line.split() for line in out.splitlines()]
        return [int(pid) for pid, comm in all if name is None or comm == name]

    def remove(self):
        self.stop()
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.base, ignore_errors=True)

    def send(self, number, size):
        c = Client(self.port)
        c.begin(number, size)
        id = c.end()
        c.close()
        return id

    def queue(self):
        out = subprocess.run([self.program("postqueue"), "-c", self.etc, "-j"], capture_output=True, text=True).stdout
        return {m["queue_id"]: m for m in map(json.loads, out.splitlines())}

    def wait_queue(self, good, seconds=60):
        end = time.time() + seconds
        while time.time() < end:
            if good(self.queue()):
                return True
            time.sleep(0.05)
        return False

    def wait_deferred(self, n):
        return self.wait_queue(lambda q: sum(m["queue_name"] == "deferred" for m in q.values()) >= n)

    def maillog(self):
        return open(self.dir + "/mail.log").read()
