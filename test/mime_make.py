#!/usr/bin/env python3
"""mime_make.py: messages for the tests of MIME conversion. message(random) gives one at random: nested multiparts, digests,
messages in messages, every encoding, octets over 127 and long lines wherever they may stand (and where they may not)."""
import base64
import random

WORDS = [b"plain", "grüße".encode(), "größe ".encode() * 20, b"", b".dot", b"trail  ", b"-- ", b"--notboundary", b"From x",
         b"latin \xfc\xe4", b"=C3", *(b"x" * n for n in (10, 74, 75, 76, 77, 997, 998, 999, 1022, 1023, 1024, 1025, 5000))]
FIELDS = ["Subject: grüße und ä mehr", "Subject: plain", "Subject: ä" + " öü" * 40, "X-Long: " + "word " * 300,
          "Comments: a\r\n ä\r\n\tb", "From: Jörg M <a@b.c>", 'To: "Müller, J" <x@y>, z@w', "Cc: a@b (für x)",
          "To: Freunde ä: a@b, c@d;", "Content-Description: ä", "X-Folded: a\r\n b"]


def octets(r, n):
    return bytes(r.randrange(256) for _ in range(n))


def some_fields(r, often):
    return [r.choice(FIELDS).encode()] if r.random() < often else []


def text(r):
    return b"\r\n".join(r.choice(WORDS) for _ in range(r.randrange(6)))


def leaf(r):
    fields = some_fields(r, 0.3)
    kind = r.randrange(7)
    if kind == 0:
        return fields, text(r)
    if kind == 1:
        label = [b"Content-Transfer-Encoding: 8bit"] if r.random() < 0.7 else []
        return [*fields, b"Content-Type: text/plain; charset=utf-8", *label], text(r)
    if kind == 2:
        return [*fields, 'Content-Type: application/octet-stream; name="fü.bin"'.encode(),
                b"Content-Transfer-Encoding: binary"], octets(r, r.randrange(300)).translate(None, b"\r\n\0")
    if kind == 3:
        return [*fields, b"Content-Transfer-Encoding: base64", b"Content-Type: image/png"], base64.b64encode(octets(r, r.randrange(2000)))
    if kind == 4:
        return [*fields, b"Content-Transfer-Encoding: quoted-printable", b"Content-Type: text/html"], b"=C3=A4 abc =\r\nnext" + b"=3D" * r.choice([1, 600])
    if kind == 5:
        return [*fields, b"Content-Type: text/plain"], b"seven bits"
    return [*fields, ('Content-Disposition: attachment; filename="äö' + "x" * r.randrange(100) + '.txt"').encode(), b"Content-Type: text/x"], text(r)


def multipart(r, depth, number):
    number[0] += 1
    boundary = r.choice([b"bound%d", b"=_%d", b"a b%d", b"x:y%d"]) % number[0]
    kind = r.choice([b"mixed", b"alternative", b"digest", b"related"])
    fields = some_fields(r, 0.2) + [b'Content-Type: multipart/' + kind + b'; boundary="' + boundary + b'"']
    if r.random() < 0.5:
        fields.append(b"Content-Transfer-Encoding: 8bit")
    body = r.choice([b"", b"preamble\r\n"])
    for _ in range(r.randrange(1, 4)):
        head, inner = entity(r, depth + 1, number) if kind != b"digest" else ([], whole(*one(r, depth + 1, number)))
        body += b"--" + boundary + b"\r\n" + whole(head, inner) + b"\r\n"
    return fields, body + b"--" + boundary + b"--" + r.choice([b"", b"\r\nepilogue"])


def entity(r, depth, number):
    kind = r.random()
    if depth > 3 or kind < 0.5:
        return leaf(r)
    if kind < 0.85:
        return multipart(r, depth, number)
    return [b"Content-Type: message/rfc822"], whole(*one(r, depth + 1, number))


def one(r, depth, number):
    fields, body = entity(r, depth, number)
    return [b"X-First: 1"] + [b"MIME-Version: 1.0"] * r.randrange(2) + fields, body


def whole(fields, body):
    return b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


def message(r, fields=()):
    head, body = one(r, 0, [0])
    return whole([*fields, *head], body) + b"\r\n"


if __name__ == "__main__":
    import sys
    sys.stdout.buffer.write(message(random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 1)))
