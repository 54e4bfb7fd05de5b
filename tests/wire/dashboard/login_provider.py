"""A small OpenID Connect provider on a free port of this machine: right unless a test makes it lie."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT, SECRET = "mailvane", "s3cret/+:"
Key = RSAKey | ECKey | OctKey


class LocalProvider:
    """What it says may be changed before and between logins."""

    def __init__(self, now: int) -> None:
        self.now = now  # seconds
        self.keys: list[Key] = [RSAKey.generate_key(2048, {"kid": "one"})]
        self.signing: Key = self.keys[0]
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {"sub": "ann-1", "email": "Ann@X.example", "email_verified": True}
        self.wrong: dict[str, Any] = {}  # claims that are not as they should be; None: left out
        self.userinfo: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}  # what the discovery document says otherwise
        self.unsigned = False
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self._server.server_port}/realm"

    @contextmanager
    def running(self) -> Iterator[LocalProvider]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def logged_in(self, address: str) -> dict[str, str]:
        """What it sends the browser back with, after the person has logged in at this address."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        code = sha256(address.encode()).hexdigest()
        self._codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def discovery(self) -> dict[str, Any]:
        endpoints = {name: f"{self.issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
        more = {"userinfo_endpoint": f"{self.issuer}/userinfo_endpoint"} if self.userinfo else {}
        return {"issuer": self.issuer, **endpoints, **more, **self.metadata}

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """RFC 6749, 4.1.3 and RFC 7636, 4.6; a code counts once."""
        login, _, secret = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        asked = self._codes.pop(form["code"], None)
        is_client = (unquote(login), unquote(secret)) == (CLIENT, SECRET)
        if asked is None or not is_client or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if create_s256_code_challenge(form["code_verifier"]) != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": self._id_token(asked)}

    def _id_token(self, asked: dict[str, str]) -> str:
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": self.now, "exp": self.now + 300, "nonce": asked["nonce"],
            **({"auth_time": self.now} if "max_age" in asked else {}), **self.claims, **self.wrong,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.signing.kid or "one"}
        text = jwt.encode(header, claims, self.signing, algorithms=[self.algorithm])
        if not self.unsigned:
            return text
        payload = text.split(".")[1]
        return "eyJhbGciOiJub25lIn0." + payload + "."


def _handler(provider: LocalProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            provider.asked.append(path)
            if path == "/realm/.well-known/openid-configuration":
                self._answer(200, provider.discovery())
            elif path == "/realm/jwks_uri":
                keys = [key for key in provider.keys if not isinstance(key, OctKey)]
                self._answer(200, {"keys": [key.as_dict(private=False) for key in keys]})
            elif path == "/realm/authorization_endpoint":  # a person who is logged in there already
                back = parse_qs(urlsplit(self.path).query)["redirect_uri"][0]
                self.send_response(303)
                self.send_header("Location", f"{back}?{urlencode(provider.logged_in(self.path))}")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif path == "/realm/userinfo_endpoint" and self.headers["Authorization"] == "Bearer opaque":
                self._answer(200, provider.userinfo)
            else:
                self._answer(404, {})

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            given = {name: values[0] for name, values in form.items()}
            self._answer(*provider.token(given, self.headers.get("Authorization", "")))

        def _answer(self, status: int, said: dict[str, Any]) -> None:
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the library
            """Nothing."""

    return Handler
