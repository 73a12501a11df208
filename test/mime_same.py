#!/usr/bin/env python3
"""mime_same.py BEFORE AFTER: do readers see the same message? Python's email package reads both files: structure, decoded
bodies, decoded header fields must be equal, and AFTER must be fit for a 7-bit server: no octet over 127, no bare CR or LF, no
line over 998 octets. Says what is not, one line each."""
import email
import email.header
import email.policy
import re
import sys

# What a conversion may add or change: the labels, and Received fields and the like of the way.
LABELS = {"content-transfer-encoding", "mime-version", "received", "return-path", "content-type", "content-disposition"}


def text_of(octets):
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


class Raw(email.policy.Compat32):
    """Fields as they are, octets over 127 as surrogates."""

    def header_fetch_parse(self, name, value):
        return value


def shown(value):
    """A header field as a reader shows it, without blanks and quotes."""
    raw = value.encode("utf-8", "surrogateescape")
    if any(c > 127 for c in raw):
        value = text_of(raw)
    else:
        parts = email.header.decode_header(re.sub(r"[\r\n]", "", value))
        value = "".join(s if isinstance(s, str) else text_of(s) for s, _ in parts)
    return re.sub(r'[\s"]+', "", value)


def parameters(part, name):
    out = {}
    for key, value in part.get_params(header=name) or []:
        octets = value[2].encode("latin-1") if isinstance(value, tuple) else value.encode("utf-8", "surrogateescape")
        out[key.lower()] = text_of(octets)
    return out


def fields(part):
    out = []
    for name, value in part.items():
        name = name.lower().removeprefix("downgraded-")
        if name not in LABELS:
            out.append((name, shown(value)))
    return sorted(out)


def tree(part, depth=0):
    """One line for each entity: kind, parameters, header, decoded body."""
    kind = part.get_content_type()
    params = parameters(part, "content-type")
    if "charset" in params and params["charset"] in ("utf-8", "unknown-8bit") and not part.is_multipart():
        params.pop("charset")  # may have been added where nothing was said
    params.pop(kind, None)
    yield depth, kind, sorted(params.items()), sorted(parameters(part, "content-disposition").items()), fields(part)
    if part.is_multipart():
        for sub in part.get_payload():
            yield from tree(sub, depth + 1)
    else:
        yield depth, kind, "body", part.get_payload(decode=True)


def unfit(octets, limit=998):
    if any(c > 127 for c in octets):
        yield "an octet over 127"
    if b"\0" in octets:
        yield "NUL"
    if octets.count(b"\r") != octets.count(b"\r\n") or octets.count(b"\n") != octets.count(b"\r\n"):
        yield "a bare CR or LF"
    if any(len(line) > limit for line in octets.split(b"\r\n")):
        yield "a line over %d octets" % limit


def differences(before, after):
    yield from unfit(after)
    a, b = [list(tree(email.message_from_bytes(m, policy=Raw()))) for m in (before, after)]
    if len(a) != len(b):
        yield "%d entities and bodies, not %d" % (len(b), len(a))
    for x, y in zip(a, b):
        if x != y:
            yield "was %r\n  is %r" % (x, y)
            return


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    bad = list(differences(open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()))
    print("\n".join(bad)) if bad else None
    sys.exit(bool(bad))
