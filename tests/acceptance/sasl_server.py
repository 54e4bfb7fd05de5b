"""A login server for Postfix that speaks the little of Dovecot's authentication protocol that PLAIN needs.

Every user whose password is `secret` may log in; anyone else may not.
"""

from __future__ import annotations

import base64
import socketserver
import threading

from tests.waiting import PATIENCE

HELLO = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00000000000000000000000000000000\nDONE\n"
PASSWORD = "secret"


class _Login(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(HELLO.encode())
        for line in self.rfile:
            fields = line.decode().rstrip("\n").split("\t")
            if fields[0] == "AUTH":
                self.wfile.write(_verdict(fields).encode())


def _verdict(fields: list[str]) -> str:
    request = fields[1]
    response = next((f.removeprefix("resp=") for f in fields if f.startswith("resp=")), "")
    _, user, password = base64.b64decode(response).decode().split("\0")
    if password == PASSWORD:
        return f"OK\t{request}\tuser={user}\n"
    return f"FAIL\t{request}\tuser={user}\treason=Authentication failed\n"


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class SaslServer:
    """Runs in a thread of its own between `start` and `stop`."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Login)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="sasl", daemon=True)

    def start(self) -> SaslServer:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)
