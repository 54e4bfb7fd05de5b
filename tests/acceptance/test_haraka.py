"""A real Haraka with the plugin of the how-to: its mail is one mail, with what became of each recipient."""

from __future__ import annotations

import re
import shutil
import smtplib
import socketserver
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from tests.acceptance.installation import Installation
from tests.ports import free_port
from tests.waiting import PATIENCE, wait_for

REPOSITORY = Path(__file__).parents[2]
HARAKA = REPOSITORY / ".cache" / "haraka" / "node_modules" / "Haraka"
HOW_TO = REPOSITORY / "docs" / "how-to" / "feed-another-mail-server.md"
TAKES_ALL = """
const { ok } = require('haraka-constants')
exports.hook_mail = function (next, connection) { connection.relaying = true; next() }
exports.hook_rcpt = function (next) { next(ok) }
exports.hook_get_mx = function (next) { next(ok, { priority: 0, exchange: '127.0.0.1', port: %d }) }
"""


class Elsewhere(socketserver.StreamRequestHandler):
    """An SMTP server that takes some recipients, refuses others and puts off the rest."""

    def handle(self) -> None:
        self.say("220 elsewhere")
        within = False
        for raw in self.rfile:
            line = raw.decode().strip()
            if within:
                within = line != "."
                if not within:
                    self.say("250 2.0.0 Ok: queued as 4A1B2C3D4E")
            elif line.startswith("RCPT"):
                refusals = {"gone": "550 5.1.1 no such user", "later": "451 4.7.1 greylisted"}
                self.say(next((reply for name, reply in refusals.items() if name in line), "250 2.1.5 Ok"))
            elif line.startswith("DATA"):
                within = True
                self.say("354 go on")
            else:
                self.say("221 2.0.0 bye" if line.startswith("QUIT") else "250 ENHANCEDSTATUSCODES")

    def say(self, reply: str) -> None:
        self.wfile.write(f"{reply}\r\n".encode())


@contextmanager
def elsewhere() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Elsewhere) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@contextmanager
def haraka(place: Path, plugin: str, mx_port: int) -> Iterator[int]:
    """A running Haraka that takes every mail and sends it on to a port of this machine."""
    port, config, plugins = free_port(), place / "config", place / "plugins"
    program = ["node", str(HARAKA / "bin" / "haraka")]
    subprocess.run([*program, "-i", str(place)], check=True, capture_output=True, timeout=PATIENCE)
    for directory in (config, plugins, place / "queue"):
        directory.mkdir(exist_ok=True)
    (config / "smtp.ini").write_text(f"listen=127.0.0.1:{port}\nnodes=0\n")
    (config / "plugins").write_text("takes_all\nmailvane\n")
    (config / "me").write_text("mx.example\n")
    (plugins / "takes_all.js").write_text(TAKES_ALL % mx_port)
    (plugins / "mailvane.js").write_text(plugin)
    log = place / "log"
    with log.open("w") as written:
        process = subprocess.Popen([*program, "-c", str(place)], stdout=written, stderr=written)
        try:
            wait_for(lambda: "Listening on" in log.read_text(), log.read_text)
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.skipif(not HARAKA.is_dir(), reason="no Haraka: npm install --prefix .cache/haraka Haraka@3.3.4")
def test_a_mail_through_haraka_is_one_mail_with_every_outcome(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    _, token = installation.tenant("acme")
    found = re.search(r"## Haraka\n.*?```js\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL)
    assert found is not None
    plugin = found[1].replace("http://127.0.0.1:8225", installation.url).replace("sk_…", token)
    with installation.serving(), elsewhere() as mx_port, haraka(tmp_path / "haraka", plugin, mx_port) as port:
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
            text = "Subject: H\u00e4llo\r\nMessage-ID: <one@shop.example>\r\nFrom: s@shop.example\r\n\r\nhi\r\n"
            recipients = ["ok@a.example", "gone@a.example", "later@b.example"]
            client.sendmail("s@shop.example", recipients, text.encode())

        def rows() -> dict[str, tuple[int | None, int | None]]:
            answer = installation.get("/mail/log", token)
            return {row["to"]: (row["delivered"], row["code"]) for row in answer["emails"]}

        said = (tmp_path / "haraka" / "log").read_text
        outcomes = {"ok@a.example": (1, 250), "gone@a.example": (0, 550), "later@b.example": (0, 451)}
        wait_for(lambda: rows() == outcomes, lambda: (rows(), said()))
        (mail,) = {(row["id"], row["subject"]) for row in installation.get("/mail/log", token)["emails"]}
        assert mail[1] == "H\u00e4llo"
        stats = installation.get("/mail/stats", token, time="all")
        assert (stats["received"], stats["sent"]) == (1, 1)
        by_queue_id = installation.get("/mail/log", token, mailid="4A1B2C3D4E")
        assert {row["id"] for row in by_queue_id["emails"]} == {mail[0]}
