"""How many doors somebody opens who follows one thing through the program: files, functions and lines of six walks.

    python benchmarks/walks.py [--list NAME]

A whole server runs in this process, with every thread traced (`sys.setprofile`): what is entered of `src/mailvane` from
the moment something is sent until it is stored or answered. Each walk is done once to warm up and three times traced;
what counts is entered every time. Imports and what only the background does are left out. `--list` prints the files
and functions of a walk in the order in which they are entered first. Numbers, not times: the machine does not matter.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import count, pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import httpx

import mailvane
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import AssetKind
from mailvane.server.ledger import Ledger
from mailvane.server.serving import serve
from mailvane.server.settings import load
from mailvane.server.stores import Stores
from mailvane_demo.world.certificate_authority import root, signer
from mailvane_demo.world.name_server import NOT_THERE, NameServer, Told
from mailvane_demo.world.sns_topic import SnsTopic, stamp

SOURCE = str(Path(mailvane.__file__).parent) + os.sep
TIMES = 3
DOMAIN = "shop.example"
ZONE = "bl.example"
PATIENCE = 60.0
FOLLOWING = ("follow", "carrier", "shipper")
# What runs beside a walk, on the same threads: followed logs, the delivery of messages, the watch over connections.
BESIDE = ("maillog/postfix/", "maillog/followed_logs", "server/following", "core/periodic")
BESIDE_BLOCKLISTS = (
    *BESIDE, "maillog/", "web/", "server/", "outbound/", "reputation/texts", "core/mailbox", "core/names",
    "core/errors", "notify/worker", "notify/metrics", "notify/email", "notify/posting", "notify/notifier",
)  # fmt: skip
POSTFIX = """\
{stamp} mx1 postfix/smtpd[10]: {ident}: client=app.shop.example[192.0.2.7]
{stamp} mx1 postfix/cleanup[12]: {ident}: message-id=<{ident}@shop.example>
{stamp} mx1 postfix/qmgr[13]: {ident}: from=<news@shop.example>, size=900, nrcpt=1 (queue active)
{stamp} mx1 postfix/smtp[14]: {ident}: to=<ann@one.example>, relay=mx.one.example[192.0.2.19]:25, delay=1, \
delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 ok)
{stamp} mx1 postfix/qmgr[13]: {ident}: removed
{stamp} mx1 postfix/smtpd[10]: disconnect from app.shop.example[192.0.2.7]
"""
REPORT = """<?xml version="1.0"?><feedback><report_metadata><org_name>isp.example</org_name><email>a@isp.example</email>
<report_id>{ident}</report_id><date_range><begin>{begin}</begin><end>{end}</end></date_range></report_metadata>
<policy_published><domain>shop.example</domain><p>none</p></policy_published>
<record><row><source_ip>198.51.100.66</source_ip><count>310</count><policy_evaluated><disposition>none</disposition>
<dkim>fail</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>shop.example</header_from></identifiers>
</record></feedback>"""


class Walk(NamedTuple):
    """One way through the program. `once` does it, and returns when it is over."""

    name: str
    once: Callable[[int], None]
    then: tuple[int, int, int, int]  # files, functions, lines, switches before the rooms were turned
    threads: tuple[str, ...] = ()  # only these, by the beginnings of their names
    without: tuple[str, ...] = ()  # not these files, by their beginnings


class Entered(NamedTuple):
    """What three walks had in common."""

    functions: list[CodeType]  # in the order in which they were entered first
    switches: int

    @property
    def files(self) -> list[str]:
        return list(dict.fromkeys(place(code) for code in self.functions))

    @property
    def lines(self) -> int:
        return sum(length(code) for code in self.functions)


class Tracer:
    """Notes every function of Mailvane that is entered, while it is told to."""

    def __init__(self) -> None:
        self._noted: list[tuple[str, CodeType]] = []
        self._noting = False
        self._mine = 0

    def start(self) -> None:
        """From now on every thread is traced, but for the one that walks."""
        threading.setprofile(self._entered)
        sys.setprofile(self._entered)

    def note(self, walk: Walk, number: int) -> list[CodeType]:
        sys.setprofile(None)
        self._noted.clear()
        self._noting = True
        try:
            walk.once(number)
        finally:
            self._noting = False
        threads, without = walk.threads or ("",), walk.without
        return [
            code
            for thread, code in list(self._noted)
            if thread.startswith(threads) and not (without and place(code).startswith(without))
        ]

    def _entered(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if self._noting and event == "call" and code.co_filename.startswith(SOURCE) and code.co_name[0] != "<":
            self._noted.append((threading.current_thread().name.lower(), code))


def place(code: CodeType) -> str:
    return code.co_filename.removeprefix(SOURCE)


def length(code: CodeType) -> int:
    numbers = [line for _, _, line in code.co_lines() if line]
    return max(numbers) - code.co_firstlineno + 1


def in_common(walks: list[list[CodeType]]) -> Entered:
    every = set(walks[0]).intersection(*walks[1:])
    order = [code for code in walks[0] if code in every]
    first = list(dict.fromkeys(order))
    return Entered(first, sum(place(one) != place(other) for one, other in pairwise(order)))


class Walker:
    """A client of the server in this process, and what stands around it."""

    def __init__(self, place: Path, settings: dict[str, str], topic: SnsTopic) -> None:
        self._place, self._topic = place, topic
        self._settings = settings
        self._listed: set[str] = set()
        self._numbers = count(1)
        self.names = NameServer(self._said, now)

    def _said(self, name: str, _kind: str, _at: int) -> Told | None:
        listed = name in {f"2.0.0.127.{ZONE}", *self._listed}
        return Told(("127.0.0.2",)) if listed else NOT_THERE

    def prepare(self, stores: Stores) -> None:
        self._stores = stores
        master = (self._place / "master-token").read_text().strip()
        headers = {"X-API-KEY": master, "X-Workspace-Id": "1"}
        self._api = httpx.Client(base_url=f"http://{self._settings['http']}", headers=headers, timeout=PATIENCE)
        self._send("POST", "/domains/", {"name": DOMAIN, "partner_ref": "acme"})
        self._send("PUT", f"/mailvane/v1/blocklists/{ZONE}", {"lists": ["ips"], "high_reputation": True})
        told = {"is_instant_alert": True, "instant_alert_email": "ops@shop.example"}
        failing = {"value": 100, "operator": "gt", "time_range": "ONE_WEEK"}
        for rule in (
            {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": [ZONE]},
            {"type": "DMARC_DMARC_FAIL", "dmarc_dmarc_fail": failing},
        ):
            self._send("POST", "/api/v1.0/alerts", {"name": rule["type"], "rules": [rule], **told})
        self._send("POST", "/api/v1.0/dmarc", {"domain": DOMAIN})
        for number in range(1000, 1100):
            self.increment(number)
        host, _, port = self._settings["policy"].rpartition(":")
        self._policy = socket.create_connection((host, int(port)), PATIENCE)

    def _send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        answer = self._api.request(method, path, json=body, **more)
        if not answer.is_success:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer

    def increment(self, _number: int) -> None:
        self._send("POST", f"/domains/{DOMAIN}/outbound/increment")

    def lines(self, number: int) -> None:
        """Six lines of a log, until the row is stored."""
        before = self._rows()
        with (self._place / "mail.log").open("a") as log:
            log.write(POSTFIX.format(stamp=datetime.now(UTC).isoformat(), ident=f"6BB23A2D{number:02X}"))
        until(lambda: self._rows() > before)

    def _rows(self) -> int:
        """By a question that nobody traces."""
        return self._stores.maillog.health().events

    def log(self, _number: int) -> None:
        self._send("GET", "/mail/log?limit=20")

    def policy(self, number: int) -> None:
        text = f"request=smtpd_access_policy\nprotocol_state=RCPT\nsender=a@{DOMAIN}\ninstance={number}.{now()}\n\n"
        self._policy.sendall(text.encode())
        if self._policy.recv(4096) != b"action=DUNNO\n\n":
            raise RuntimeError("the mail is to pass")

    def listing(self, number: int) -> None:
        """An address that nobody asked about yet; the runner finds it by itself."""
        ip = f"192.0.2.{number + 1}"
        self._listed.add(".".join(reversed(ip.split("."))) + f".{ZONE}")
        ledger: Ledger = self._stores.ledger
        before = len(ledger.outbox.notifications(1))
        WatchedAssets(ledger.assets, ledger.observations).add(1, AssetKind.IP, [ip], now())
        until(lambda: len(ledger.outbox.notifications(1)) > before)

    def report(self, number: int) -> None:
        end = now() // 1000 - 3600 - number
        text = REPORT.format(ident=f"r{number}", begin=end - 86_399, end=end)
        self._send("POST", "/mailvane/v1/sources/dmarc/import?name=r.xml", content=text)

    def bounce(self, number: int) -> None:
        mail = {
            "timestamp": stamp(now() - 5000),
            "messageId": f"0102-{number}",
            "source": f"news@{DOMAIN}",
            "destination": ["ann@one.example"],
        }
        bounce = {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": "ann@one.example", "diagnosticCode": "smtp; 550 5.1.1 unknown"}],
            "timestamp": stamp(now()),
            "feedbackId": f"f{number}",
        }
        message = json.dumps({"notificationType": "Bounce", "mail": mail, "bounce": bounce})
        body = self._topic.notification(message, now(), f"m{number}")
        self._send("POST", "/webhooks/ses", content=body, headers={"Content-Type": "text/plain"})


def walks(walker: Walker) -> Iterable[Walk]:
    """As the review of the layers measured them first."""
    yield Walk("six log lines → stored row", walker.lines, (21, 127, 1243, 74), threads=FOLLOWING)
    yield Walk("GET /mail/log → answer", walker.log, (23, 104, 754, 53), without=(*BESIDE, "maillog/recording"))
    yield Walk("policy request → answer", walker.policy, (22, 62, 453, 37), without=(*BESIDE, "maillog/"))
    yield Walk("DNSBL answer → alert in outbox", walker.listing, (29, 134, 1049, 86), without=BESIDE_BLOCKLISTS)
    yield Walk("DMARC report → rows, alert", walker.report, (22, 108, 819, 54), without=BESIDE)
    yield Walk("SNS bounce → event, counter", walker.bounce, (25, 108, 786, 63), without=BESIDE)


def until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not fact():
        if time.monotonic() > deadline:
            raise RuntimeError("it does not happen")
        time.sleep(0.05)


def now() -> int:
    return time.time_ns() // 1_000_000


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def trace(walker: Walker, tracer: Tracer, listed: str) -> None:
    """All six, and a line for each."""
    print(f"{'walk':<34}{'files':>12}{'functions':>16}{'lines':>16}{'switches':>12}   (in brackets: before)")
    files = []
    for walk in walks(walker):
        walk.once(1)
        found = in_common([tracer.note(walk, number) for number in range(2, 2 + TIMES)])
        files.append(len(found.files))
        shown = (len(found.files), len(found.functions), found.lines, found.switches)
        cells = [f"{value} ({before})" for value, before in zip(shown, walk.then, strict=True)]
        print(f"{walk.name:<34}{cells[0]:>12}{cells[1]:>16}{cells[2]:>16}{cells[3]:>12}")
        if listed and listed in walk.name:
            for code in found.functions:
                print(f"    {place(code)}:{code.co_firstlineno} {code.co_name} ({length(code)})")
    print(f"files on average: {sum(files) / len(files):.1f} (23.7)")


def main() -> None:
    parser = argparse.ArgumentParser(description="Files, functions and lines of six walks through the program.")
    parser.add_argument("--list", default="", help="Also print the functions of the walks whose name holds this.")
    options = parser.parse_args()
    tracer = Tracer()
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        authority = root(now())
        topic = SnsTopic(signer=signer(now(), authority, ["sns.amazonaws.com"]))
        (data / "roots.pem").write_bytes(authority.pem)
        (data / "certificates").mkdir()
        (data / "certificates" / topic.certificate).write_bytes(topic.signer.pem)
        (data / "mail.log").touch()
        given = {"data": directory, "http": free_address(), "policy": free_address()}
        walker = Walker(data, given, topic)
        with walker.names.running():
            (data / "mailvane.toml").write_text(
                f'[[postfix]]\npath = "{data}/mail.log"\nworkspace = "acme"\n'
                f'[outbound]\nsns_topics = ["{topic.arn}"]\nsns_trusted_roots = "{data}/roots.pem"\n'
                f'sns_certificates = "{data}/certificates"\nguillotine = {{ bounce_percent = 0.0 }}\n'
                f'[reputation]\nresolvers = ["127.0.0.1:{walker.names.port}"]\n'
                '[reputation.mail]\nhost = "127.0.0.1"\nport = 9\n'
            )

            def ready(stores: Stores) -> None:
                try:
                    sys.setprofile(None)  # this thread is the client
                    walker.prepare(stores)
                    trace(walker, tracer, options.list)
                except Exception:
                    traceback.print_exc()  # the server would end without a word
                    raise
                finally:
                    os.kill(os.getpid(), signal.SIGTERM)

            tracer.start()
            serve(load(given, {}), frozenset({"http", "policy", "worker"}), ready)


if __name__ == "__main__":
    main()
