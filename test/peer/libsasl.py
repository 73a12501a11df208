"""libsasl.py PORT MECHANISM USER PASSWORD: a login over SMTP (STARTTLS) by the client of libsasl2, as Postfix and sendmail have it.

What was said goes out, base64 decoded but for what we say; the last line is the server's reply.
"""
import base64
import ctypes as c
import socket
import ssl
import sys

port, mech, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3].encode(), sys.argv[4].encode()
lib = c.CDLL("libsasl2.so.2")
CB_USER, CB_AUTHNAME, CB_PASS = 0x4001, 0x4002, 0x4004
OK, CONTINUE = 0, 1


class Secret(c.Structure):
    _fields_ = [("len", c.c_ulong), ("data", c.c_ubyte * (len(password) + 1))]


SIMPLE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, c.POINTER(c.c_char_p), c.POINTER(c.c_uint))
SECRET = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_int, c.POINTER(c.POINTER(Secret)))


class Callback(c.Structure):
    _fields_ = [("id", c.c_ulong), ("proc", c.c_void_p), ("context", c.c_void_p)]


name, secret = c.c_char_p(user), Secret(len(password), (c.c_ubyte * (len(password) + 1))(*password, 0))


@SIMPLE
def get_name(context, what, result, length):
    result[0] = name
    if length:
        length[0] = len(user)
    return OK


@SIMPLE
def get_nobody(context, what, result, length):
    result[0] = c.c_char_p(b"")  # as himself
    if length:
        length[0] = 0
    return OK


@SECRET
def get_secret(conn, context, what, result):
    result[0] = c.pointer(secret)
    return OK


def as_proc(f):
    return c.cast(f, c.c_void_p)


callbacks = (Callback * 4)(Callback(CB_USER, as_proc(get_nobody), None), Callback(CB_AUTHNAME, as_proc(get_name), None),
                           Callback(CB_PASS, as_proc(get_secret), None), Callback(0, None, None))
conn, out, length, chosen = c.c_void_p(), c.c_char_p(), c.c_uint(), c.c_char_p()
lib.sasl_errdetail.restype = c.c_char_p


def good(rc, what):
    if rc not in (OK, CONTINUE):
        sys.exit("libsasl2: %s: %d %s" % (what, rc, (lib.sasl_errdetail(conn) or b"").decode() if conn else ""))
    return rc


def made():
    return c.string_at(out, length.value) if out else None


s = socket.create_connection(("127.0.0.1", port), 20)
f = s.makefile("rwb")


def reply():
    while True:
        line = f.readline().decode().rstrip()
        print("S:", line)
        if line[3:4] != "-":
            return line


def say(line):
    f.write(line + b"\r\n")
    f.flush()
    return reply()


reply(), say(b"EHLO client.example.com"), say(b"STARTTLS")
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
f.close()
s = context.wrap_socket(s)
f = s.makefile("rwb")
say(b"EHLO client.example.com")
good(lib.sasl_client_init(callbacks), "init")
good(lib.sasl_client_new(b"smtp", b"mail.example1.com", None, None, callbacks, 0, c.byref(conn)), "new")
rc = good(lib.sasl_client_start(conn, mech.encode(), None, c.byref(out), c.byref(length), c.byref(chosen)), "start")
print("chosen:", chosen.value.decode())
first = made()
line = say(b"AUTH " + mech.encode() + (b"" if first is None else b" " + (base64.b64encode(first) or b"=")))
while line.startswith("334"):
    challenge = base64.b64decode(line[4:])
    rc = good(lib.sasl_client_step(conn, challenge, len(challenge), None, c.byref(out), c.byref(length)), "step")
    line = say(base64.b64encode(made() or b""))
if line.startswith("235") and rc != OK:
    sys.exit("libsasl2: the server says yes, and the exchange is not at its end")
print(line)
