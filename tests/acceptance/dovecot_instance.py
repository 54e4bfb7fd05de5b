"""A real Dovecot that takes mail by LMTP into Maildirs, in a directory of its own. Root is needed to start it.

Every local part is a mailbox of at most so many bytes; over that, LMTP answers 552 5.2.2 (RFC 3463).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.ports import free_port
from tests.waiting import wait_for

CONFIGURATION = """
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/dovecot.log
protocols = lmtp
listen = 127.0.0.1
ssl = no
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
mail_location = maildir:{home}/mail/%n
mail_plugins = quota
first_valid_uid = 1
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={home}/mail/%n allow_all_users=yes
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:bytes={bytes}
  quota_grace = 0
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
"""


def cannot_run() -> str:
    """Why no Dovecot can be started here; empty when one can."""
    if os.geteuid() != 0:
        return "Dovecot needs root to start"
    where = os.environ.get("PATH", "") + ":/usr/sbin"
    if not shutil.which("dovecot", path=where) or not Path("/usr/lib/dovecot/lmtp").exists():
        return "Dovecot with LMTP is not installed"
    return ""


class DovecotInstance:
    """One running Dovecot; a context manager."""

    def __init__(self, mailbox_bytes: int) -> None:
        # not below a test's own directory: its processes run as another user, who must be able to enter
        self.home = Path(tempfile.mkdtemp(prefix="dovecot-under-test-"))
        self.home.chmod(0o755)
        self.port = free_port()
        mail = self.home / "mail"
        mail.mkdir()
        shutil.chown(mail, "nobody", "nogroup")
        self.allow(mailbox_bytes)
        self._process: subprocess.Popen[bytes] | None = None

    def allow(self, mailbox_bytes: int) -> None:
        """How much a mailbox holds; a running server has to be started again to know."""
        text = CONFIGURATION.format(home=self.home, port=self.port, bytes=mailbox_bytes)
        (self.home / "dovecot.conf").write_text(text)

    def __enter__(self) -> DovecotInstance:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        command = ["dovecot", "-F", "-c", str(self.home / "dovecot.conf")]
        environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin"}
        with (self.home / "said").open("a") as said:
            self._process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
        wait_for(lambda: "starting up" in self.said() and (self.home / "run" / "master.pid").exists(), self.said)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()  # the master ends its children
            self._process.wait()
        self._process = None

    def said(self) -> str:
        log = self.home / "dovecot.log"
        return (log.read_text("utf-8", "replace") if log.exists() else "") + (self.home / "said").read_text()

    def mailbox(self, local: str) -> list[bytes]:
        """The mails in it."""
        maildir = self.home / "mail" / local
        return [path.read_bytes() for path in sorted([*maildir.glob("new/*"), *maildir.glob("cur/*")])]
