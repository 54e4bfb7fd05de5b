"""A real Postfix in a directory of its own: own queue, own ports, own log file, nothing of the system's instance.

Mail for `*.example` domains goes to an SMTP sink on this machine; no name is ever looked up. Timers are short, so that
a deferred mail is tried again within seconds. Root is needed, as Postfix gives up rights that only root has.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port
from tests.waiting import PATIENCE, wait_for

MAIN = """\
compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/lib
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
myhostname = mail.office.example
mydomain = office.example
mydestination = localhost.example
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps = hash:{home}/etc/aliases
virtual_alias_domains = alias.example
virtual_alias_maps = hash:{home}/etc/virtual
virtual_mailbox_domains = virtual.example
virtual_mailbox_base = {home}/vmail
virtual_mailbox_maps = hash:{home}/etc/vmailbox
virtual_minimum_uid = 1
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
transport_maps = hash:{home}/etc/transport
relay_domains = probe.example
smtp_dns_support_level = disabled
smtp_host_lookup = native
default_transport = smtp:[127.0.0.1]:{sink}
relay_transport = smtp:[127.0.0.1]:{sink}
smtpd_peername_lookup = yes
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 4s
maximal_queue_lifetime = {lifetime}
bounce_queue_lifetime = {lifetime}
smtp_connect_timeout = 3s
smtp_helo_timeout = 5s
smtp_rcpt_timeout = 10s
smtp_data_done_timeout = 10s
smtpd_error_sleep_time = 0
smtpd_recipient_limit = 200
smtpd_recipient_restrictions = check_recipient_access hash:{home}/etc/recipient_access, permit_mynetworks,
    permit_sasl_authenticated, reject_unauth_destination
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
address_verify_poll_count = 3
address_verify_poll_delay = 1s
address_verify_map =
smtp_tls_security_level = none
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{sasl}
{recommended}
{extra}
"""

MASTER = """\
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd
    -o syslog_name=postfix/submission
    -o smtpd_sasl_auth_enable=yes
127.0.0.1:{filtered} inet n - n - - smtpd
    -o content_filter=filter:[127.0.0.1]:{filter}
    -o receive_override_options=no_address_mappings
127.0.0.1:{reinject} inet n - n - - smtpd
    -o content_filter=
    -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks
    -o smtpd_authorized_xforward_hosts=127.0.0.0/8
filter unix - - n - 2 smtp
    -o smtp_send_xforward_command=yes
    -o disable_dns_lookups=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
    -o syslog_name=postfix/relay
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
echo unix - n n - - pipe flags= user=nobody argv=/bin/cat
refuse unix - n n - - pipe flags= user=nobody argv={home}/refuse
postlog unix-dgram n - n - 1 postlogd
"""

DEPLOY = Path(__file__).parents[2] / "deploy" / "postfix"
HEADER_CHECKS = """\
/^X-Test-Hold:/ HOLD on request
/^X-Test-Discard:/ DISCARD on request
/^X-Test-Reject:/ REJECT on request
"""

MAPS = {
    "aliases": "postmaster: root\nroot: ok.root@inbox.example\nteam: ok.1@inbox.example, ok.2@inbox.example\n",
    "virtual": "one@alias.example ok.1@inbox.example\nmany@alias.example ok.1@inbox.example, unknown.2@inbox.example\n",
    "vmailbox": "ann@virtual.example ann/\n",
    "recipient_access": "refused@inbox.example REJECT you may not\nlater@inbox.example DEFER_IF_PERMIT come back\n"
    "held@inbox.example HOLD wait\ngone@inbox.example DISCARD away\nprobe.example reject_unverified_recipient\n",
}


def cannot_run() -> str:
    """Why no Postfix can be started here; empty when one can."""
    if os.geteuid() != 0:
        return "Postfix needs root to start"
    if not shutil.which("postfix"):
        return "Postfix is not installed"
    return ""


@dataclass(frozen=True)
class Peers:
    """The ports of what runs beside Postfix; 0 where there is nothing."""

    sink: int
    lmtp: int = 0
    filter: int = 0
    sasl: int = 0


class PostfixInstance:
    """One running Postfix; a context manager. `log` is its log file, which lives as long as the instance."""

    def __init__(self, peers: Peers, *, lifetime: str = "30s", extra: str = "") -> None:
        # not below a test's own directory: the daemons run as another user, who must be able to enter
        self.home = Path(tempfile.mkdtemp(prefix="postfix-under-test-"))
        self.log = self.home / "mail.log"
        self.smtp, self.submission, self.filtered, self.reinject, self._nobody = (free_port() for _ in range(5))
        self._write(peers, lifetime, extra)

    def _write(self, peers: Peers, lifetime: str, extra: str) -> None:
        for directory in (self.home, *(self.home / name for name in ("etc", "lib", "spool", "vmail"))):
            directory.mkdir(exist_ok=True)
            directory.chmod(0o755)
        shutil.chown(self.home / "lib", "postfix")
        shutil.chown(self.home / "vmail", 65534, 65534)
        etc = self.home / "etc"
        for name, text in MAPS.items():
            (etc / name).write_text(text)
        (self.home / "refuse").write_text("#!/bin/sh\necho mailbox is gone\nexit 67\n")
        (self.home / "refuse").chmod(0o755)
        (etc / "transport").write_text(self._transport(peers))
        (etc / "header_checks").write_text((DEPLOY / "header_checks").read_text() + HEADER_CHECKS)
        (etc / "main.cf").write_text(
            MAIN.format(
                home=self.home,
                sink=peers.sink,
                sasl=peers.sasl,
                lifetime=lifetime,
                recommended=self._recommended(extra),
                extra=extra,
            )
        )
        (etc / "master.cf").write_text(
            MASTER.format(
                home=self.home,
                smtp=self.smtp,
                submission=self.submission,
                filtered=self.filtered,
                reinject=self.reinject,
                filter=peers.filter,
            )
        )
        for name in ("transport", "virtual", "vmailbox", "recipient_access"):
            self.command("postmap", str(etc / name))
        subprocess.run(["postalias", "-c", etc, etc / "aliases"], check=True)

    def _recommended(self, extra: str) -> str:
        """The lines of deploy/postfix/main.cf, as an operator copies them, except for what `extra` says otherwise."""
        lines = (DEPLOY / "main.cf").read_text().replace("/etc/postfix/mailvane_", f"{self.home}/etc/").splitlines()
        said = {line.partition("=")[0].strip() for line in extra.splitlines()}
        return "\n".join(line for line in lines if line.partition("=")[0].strip() not in said)

    def _transport(self, peers: Peers) -> str:
        return (
            f"lmtp.example lmtp:inet:127.0.0.1:{peers.lmtp}\n"
            f"silent.example smtp:[127.0.0.1]:{self._nobody}\n"
            "pipe.example echo:\ngone.example refuse:\n"
            "error.example error:5.1.2 this domain takes no mail\nretry.example retry:4.3.2 not now\n"
        )

    def __enter__(self) -> PostfixInstance:
        self.command("postfix", "start")
        wait_for(lambda: listens(self.smtp), lambda: "\n".join(self.lines()))
        # a setting that stands twice makes every daemon complain, also the one that is to write the complaints down
        assert "warning" not in self.command("postconf", "-n"), self.command("postconf", "-n")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.command("postfix", "stop", check=False)
        except subprocess.TimeoutExpired:
            # every daemon waits for room in the log's socket; only the master's whole process group can be ended
            os.killpg(int((self.home / "spool" / "pid" / "master.pid").read_text()), signal.SIGKILL)
        shutil.rmtree(self.home, ignore_errors=True)

    def command(self, program: str, *arguments: str, check: bool = True, text: str = "") -> str:
        """Run one of Postfix's own commands on this instance and return what it printed."""
        environment = {**os.environ, "MAIL_CONFIG": str(self.home / "etc")}
        done = subprocess.run(
            [program, *arguments],
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{program} {arguments}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def lines(self) -> list[str]:
        """What was logged so far."""
        return self.log.read_text("utf-8", "surrogateescape").splitlines() if self.log.exists() else []

    def wait_for(self, *parts: str, times: int = 1) -> list[str]:
        """The lines that contain every part, once there are enough of them."""

        def logged() -> list[str]:
            found = [line for line in self.lines() if all(part in line for part in parts)]
            return found if len(found) >= times else []

        return wait_for(logged, lambda: f"{parts} {times} times in\n" + "\n".join(self.lines()))


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except OSError:
        return False
    return True
