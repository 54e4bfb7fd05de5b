"""A real Rspamd in a directory of its own, with two rules and no network: no name is looked up."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import httpx

from tests.ports import free_port
from tests.waiting import wait_for

PASSWORD = "secret"
CONFIGURATION = """
options {{
  pidfile = "{home}/rspamd.pid"; filters = "regexp"; url_tld = "{home}/tld"; tempdir = "{home}";
  cache_file = "{home}/symbols.cache"; history_file = "{home}/history"; local_addrs = [];
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "file"; filename = "{home}/rspamd.log"; level = "info"; }}
actions {{ reject = 15; add_header = 6; greylist = 4; }}
regexp {{
  TEST_CASINO {{ re = "Subject=/casino/Hi"; score = 7.0; }}
  TEST_PILLS {{ re = "Subject=/pills/Hi"; score = 20.0; }}
}}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
worker "controller" {{ bind_socket = "127.0.0.1:{controller}"; count = 1; password = "{password}"; secure_ip = []; }}
"""


def cannot_run() -> str:
    """Why no Rspamd can be started here; empty when one can."""
    return "" if shutil.which("rspamd", path=os.environ.get("PATH", "") + ":/usr/bin") else "Rspamd is not installed"


class RspamdServer:
    """One running Rspamd; a context manager, which can be stopped and started again."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="rspamd-under-test-"))
        self.port, self.controller = free_port(), free_port()
        (self.home / "tld").write_text("com\nexample\n")
        values = {"home": self.home, "port": self.port, "controller": self.controller, "password": PASSWORD}
        (self.home / "rspamd.conf").write_text(CONFIGURATION.format(**values))
        (self.home / "password").write_text(f"{PASSWORD}\n")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RspamdServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        with (self.home / "said").open("a") as said:
            command = ["rspamd", "-i", "-f", "-c", str(self.home / "rspamd.conf")]
            self._process = subprocess.Popen(command, stdout=said, stderr=said)
        wait_for(lambda: self._answers(self.port) and self._answers(self.controller), self.said)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()  # the main process ends its workers
            self._process.wait()
        self._process = None

    def said(self) -> str:
        log = self.home / "rspamd.log"
        return log.read_text("utf-8", "replace") if log.exists() else (self.home / "said").read_text()

    def _answers(self, port: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/ping", trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False
