"""oauth_server.py DIR PORT [CERTIFICATE-AND-KEY]: an OAuth 2.0 server as a test wants it, over HTTPS with a certificate.

/introspect (POST token=…; GET …token=TOKEN; GET with Authorization: Bearer), /tokeninfo?access_token=TOKEN, /userinfo, /jwks
(DIR/jwks.json, with an ETag). What it says of TOKEN is in the file DIR/tokens/TOKEN. The word in DIR/mode changes all
answers: slow, garbage, array, huge, trailer, redirect, 500, 401, 400, close. /token and /token-named take passwords (RFC 6749
sec. 4.3) of the client "us" with "s&t": DIR/passwords has a line USER TAB PASSWORD for each; its token is "granted-USER". Each request is a line in DIR/requests.
"""
import base64
import hashlib
import http.server
import json
import os
import socketserver
import ssl
import sys
import time
import urllib.parse

folder, port = sys.argv[1], int(sys.argv[2])


def content(name):
    try:
        with open(os.path.join(folder, name), "rb") as f:
            return f.read()
    except OSError:
        return b""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def token(self, body):
        url = urllib.parse.urlsplit(self.path)
        form = urllib.parse.parse_qs(body.decode() if self.command == "POST" else url.query)
        for name in ("token", "access_token"):
            if name in form:
                return form[name][0]
        bearer = self.headers.get("Authorization", "")
        return bearer[7:] if bearer.startswith("Bearer ") else ""

    def strange(self, mode):
        if mode == "slow":
            time.sleep(30)
            return True
        if mode == "trailer":
            self.close_connection = True
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"2\r\n{}\r\n0\r\n")
            end = time.time() + 20
            try:
                while time.time() < end:
                    self.wfile.write(b"X-Field: " + b"x" * 1000 + b"\r\n")
            except OSError:
                pass
            return True
        answers = {
            "garbage": (200, b"<html>\0 it works"),
            "array": (200, b'["active", true]'),
            "huge": (200, b'{"active": true, "email": "user1@example1.com", "x": "' + b"x" * 200000 + b'"}'),
            "redirect": (302, b""),
            "500": (500, b"{}"),
            "401": (401, b'{"error": "invalid_client"}'),
            "400": (400, b'{"error": "invalid_token"}'),
        }
        if mode == "close":
            self.close_connection = True
            self.connection.close()
            return True
        if mode not in answers:
            return False
        status, body = answers[mode]
        self.say(status, body, **({"Location": "https://localhost:%d/elsewhere" % port} if mode == "redirect" else {}))
        return True

    def grant(self, form, path):
        user, password = form.get("username", [""])[0], form.get("password", [""])[0]
        named = {"email": user, "email_verified": True} if path == "/token-named" else {}
        if form.get("grant_type") != ["password"]:
            self.say(400, b'{"error": "unsupported_grant_type"}')
        elif (form.get("client_id"), form.get("client_secret")) != (["us"], ["s&t"]):
            self.say(401, b'{"error": "invalid_client"}')
        elif "%s\t%s" % (user, password) not in content("passwords").decode().split("\n"):
            self.say(400, b'{"error": "invalid_grant", "error_description": "Invalid user credentials"}')
        else:
            answer = {"access_token": "granted-" + user, "token_type": "Bearer", "expires_in": 300, "refresh_token": "again-" + user}
            self.say(200, json.dumps({**answer, **named}).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urllib.parse.urlsplit(self.path).path
        seen = ["%s: %s" % (n, v) for n, v in self.headers.items() if n.startswith("X-") or n in ("Authorization", "If-None-Match", "Content-Type")]
        with open(os.path.join(folder, "requests"), "a") as f:
            f.write("%s %s %s %s\n" % (self.command, self.path, body.decode(), seen))
        if self.strange(content("mode").decode().strip()):
            return
        if path == "/jwks":
            keys = content("jwks.json")
            tag = '"%s"' % hashlib.sha1(keys).hexdigest()
            if self.headers.get("If-None-Match") == tag:
                self.say(304, ETag=tag)
            else:
                self.say(200, keys, ETag=tag, Cache_Control="max-age=1")
            return
        if path.startswith("/token") and path != "/tokeninfo":
            self.grant(urllib.parse.parse_qs(body.decode()), path)
            return
        token = self.token(body)
        # A basic login is that of the client at the introspection.
        basic = self.headers.get("Authorization", "")
        if path == "/closed" and basic != "Basic " + base64.b64encode(b"mail:se cret".replace(b" ", b"%20")).decode():
            self.say(401, b'{"error": "invalid_client"}')
            return
        said = content("tokens/" + os.path.basename(token)) if token else b""
        if said:
            self.say(200, said)
        elif path in ("/introspect", "/closed"):
            self.say(200, b'{"active": false}')
        else:
            self.say(401, b'{"error": "invalid_token"}')

    do_GET = do_POST


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    allow_reuse_address = True
    daemon_threads = True


server = Server(("127.0.0.1", port), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
