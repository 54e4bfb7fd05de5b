"""Rules about a server's own mail, through a real server: the policy door, a followed log, files and a vendor's server.

Each fires by what it is about and falls silent by it, the log tells of it, and a backtest by the command finds it, too.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from mailvane.server.settings import load, master_token
from tests.acceptance.installation import Installation
from tests.unit.reputation.sources.vendor_server import Said, VendorServer
from tests.waiting import PATIENCE

OURS = "ours.example"
QUIET = timedelta(minutes=125)  # that long ago mails were deferred and bounced; rates of a day are looked at every 2 h
RATE = {"domains_are": "RECEIVING", "domains": ["ALL_DOMAINS"]}
RULES: dict[str, dict[str, Any]] = {
    "MV_QUOTA": {"limits_of": ["LOGIN", "DOMAIN"], "windows": ["DAY", "MONTH"], "names": ["ANY"], "percent": 80},
    "MV_SENDING_STOPPED": {"domains": ["ALL_DOMAINS"]},
    "MV_LOG_SILENT": {"logs": ["ANY"], "minutes": 60},
    "MV_SOURCE_FAILING": {"sources": ["snds"], "hours": 0},
    "MV_HEARTBEAT_MISSED": {"heartbeats": ["ANY"]},
    "MV_HEARTBEAT_RETURNED": {"heartbeats": ["nightly"]},
    "MV_WAITING_MAIL": {"by": "TOTAL", "domains": ["ALL_DOMAINS"], "mails": 3},
    "MV_WAITING_AGE": {"by": "DESTINATION", "domains": ["waits.example"], "minutes": 60},
    "MV_BOUNCE_RATE": RATE | {"mv_bounce_rate": {"value": 0.2, "time_range": "ONE_DAY", "minimum": 5}},
    "MV_DEFERRAL_RATE": RATE | {"mv_deferral_rate": {"value": 0.2, "time_range": "ONE_DAY", "minimum": 3}},
    "MV_COMPLAINT_RATE": RATE | {"mv_complaint_rate": {"value": 0.2, "time_range": "ONE_DAY", "minimum": 3}},
    "MV_SUDDEN_CHANGE": {"mail": "DELIVERED", "direction": "LESS", "deviations": 3, "difference": 15},
}


class Place(NamedTuple):
    """A server, a client of its workspace, what it follows, when its mails were sent, and who speaks for Microsoft."""

    installation: Installation
    client: httpx.Client
    log: Path
    workday: datetime
    snds: VendorServer


USUAL = 30  # deliveries in each of some hours, in weeks before


def stamp(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def mail(at: datetime, queue_id: str, status: str, *recipients: str) -> Iterator[str]:
    """A mail in Postfix's log, and what became of it for each recipient."""
    yield f"{stamp(at)} mx1 postfix/smtpd[11]: {queue_id}: client=localhost[127.0.0.1]"
    yield f"{stamp(at)} mx1 postfix/cleanup[12]: {queue_id}: message-id=<{queue_id}@{OURS}>"
    yield f"{stamp(at)} mx1 postfix/qmgr[13]: {queue_id}: from=<s@{OURS}>, size=900, nrcpt=1 (queue active)"
    for recipient in recipients:
        yield attempt(at, queue_id, status, recipient)


def attempt(at: datetime, queue_id: str, status: str, recipient: str) -> str:
    relay = f"mx.{recipient.partition('@')[2]}[192.0.2.9]:25"
    return (
        f"{stamp(at)} mx1 postfix/smtp[14]: {queue_id}: to=<{recipient}>, relay={relay}, delay=1, delays=0/0/0/1,"
        f" dsn={DSN[status]}, status={status} ({SAID[status]})"
    )


DSN = {"sent": "2.0.0", "bounced": "5.1.1", "deferred": "4.4.1"}
SAID = {"sent": "250 ok", "bounced": "host mx said: 550 5.1.1 no such user", "deferred": "connection timed out"}


def addresses(domain: str, count: int) -> list[str]:
    return [f"r{number}@{domain}" for number in range(count)]


def hours_of(weeks: int) -> list[datetime]:
    """The hours of that many weeks ago one of which is compared while the test runs, and a bit after."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(weeks=weeks)
    return [hour + timedelta(hours=number) for number in (-2, -1, 0)]


def usual(weeks: int, name: str) -> Iterator[str]:
    """What is delivered in each of these hours."""
    for number, hour in enumerate(hours_of(weeks)):
        yield from mail(hour, f"4{name}{weeks}{number}B3C4D5", "sent", *addresses("usual.example", USUAL))


def first(workday: datetime) -> Iterator[str]:
    """Weeks as usual; then eight mails that bounce, three that wait, and four of which people complain."""
    for weeks in (6, 5, 4, 3, 2, 1):
        yield from usual(weeks, "B")
    for domain, count, status, name in (
        ("gone.example", 8, "bounced", "C"), ("waits.example", 3, "deferred", "D"), ("cross.example", 4, "sent", "E"),
    ):  # fmt: skip
        for number, recipient in enumerate(addresses(domain, count)):
            yield from mail(workday, f"4{name}{number}0B3C4D5", status, recipient)


def later(workday: datetime) -> Iterator[str]:
    """What makes all well: what waited is delivered, much else is, and the last hours are as in other weeks."""
    for number, recipient in enumerate(addresses("waits.example", 3)):
        yield attempt(workday, f"4D{number}0B3C4D5", "sent", recipient)
    for domain in ("gone.example", "waits.example", "cross.example"):
        others = [f"other-{each}" for each in addresses(domain, 60)]
        yield from mail(workday, f"4F{domain[0].encode().hex().upper()}B3C4D5", "sent", *others)
    yield from usual(0, "A")


def complaint(number: int, at: datetime) -> bytes:
    """An abuse report (RFC 5965) about one of the mails."""
    fields = f"Feedback-Type: abuse\r\nUser-Agent: isp/1\r\nVersion: 1\r\nOriginal-Mail-From: <s@{OURS}>\r\n"
    named = f"Message-ID: <4E{number}0B3C4D5@{OURS}>\r\nFrom: s@{OURS}\r\nSubject: x\r\n"
    return (
        f"From: fbl@isp.example\r\nTo: abuse@{OURS}\r\nDate: {format_datetime(at)}\r\nSubject: complaint\r\n"
        f"Message-ID: <fbl{number}@isp.example>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nA complaint.\r\n"
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\n{fields}\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{named}\r\nBuy.\r\n--b--\r\n"
    ).encode()


async def ask(port: int, numbers: range) -> None:
    """A login sends mail of the domain, as far as it may."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        facts = f"protocol_state=END-OF-MESSAGE\nsender=s@{OURS}\nsasl_username=shop\ninstance=i{number}\n"
        writer.write(f"request=smtpd_access_policy\n{facts}recipient_count=1\n\n".encode())
        await reader.readuntil(b"\n\n")
    writer.close()
    await writer.wait_closed()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server that looks at itself every second and follows a log that nobody writes to; no resolver answers it."""
    installation = Installation(tmp_path_factory.mktemp("own"))
    log, workday = installation.data / "mail.log", datetime.now(UTC) - QUIET
    log.write_text("".join(f"{line}\n" for line in first(workday)))
    snds = VendorServer(lambda _asked: Said("not now", 500))
    os.utime(log, (workday.timestamp(), workday.timestamp()))
    _, token = installation.tenant("acme")
    with snds.running():
        (installation.data / "mailvane.toml").write_text(
            'timezone = "UTC"\n\n[reputation]\nown_rules_seconds = 1\nresolvers = ["127.0.0.1:9"]\n'
            f'postmaster_url = "http://127.0.0.1:9"\nsnds_url = "{snds.url}/snds"\n\n'
            f'[[postfix]]\npath = "{log}"\nworkspace = "acme"\n'
        )
        with (
            installation.serving(),
            httpx.Client(base_url=installation.url, headers={"X-API-KEY": token}, timeout=PATIENCE) as client,
        ):
            yield Place(installation, client, log, workday, snds)


Send = Callable[..., Any]


def go_wrong(place: Place, send: Send, master: dict[str, str]) -> str:
    """What no log tells: a limit nearly reached, a stopped domain, a source that fails, complaints.

    Gives the address of a heartbeat that nobody calls.
    """
    installation, client, workday = place.installation, place.client, place.workday
    installation.run("limit", "set", "login", "shop", "--daily", "10")
    asyncio.run(ask(installation.policy_port, range(9)))
    send("/domains", {"name": OURS, "partner_ref": "acme"}, master)
    send(f"/domains/{OURS}/outbound", {"outbound_status": "suspended"}, master, "PUT")
    send("/api/v1.0/snds/creds", {"key": "0b7c6a1e-1111-2222-3333-44445555abcd"})
    # A report is about a mail that is known when it comes.
    crossed = {"mx": "mx.cross.example"}
    installation.wait_for(lambda: client.get("/mail/log", params=crossed).json()["total"] == 4)
    for number in range(4):
        report = complaint(number, workday + timedelta(seconds=30))
        answer = client.post("/mailvane/v1/sources/dmarc/import", content=report, params={"name": f"{number}.eml"})
        assert answer.is_success, answer.text
    return installation.run("heartbeat", "create", "nightly", "--period", "4", "--grace", "0").stdout.strip()


def go_well(place: Place, send: Send, master: dict[str, str]) -> None:
    """By the log, the door, a person, the vendor."""
    installation, _, log, workday, snds = place
    with log.open("a") as file:
        file.write("".join(f"{line}\n" for line in later(workday + timedelta(seconds=60))))
    installation.run("limit", "set", "login", "shop", "--daily", "14")
    send(f"/domains/{OURS}/outbound", {"outbound_status": "active"}, master, "PUT")
    asyncio.run(ask(installation.policy_port, range(9, 10)))
    snds.answer = lambda _asked: Said("")
    send("/mailvane/v1/sources/snds/run", {})


def test_each_fires_and_clears_by_its_own_source_and_a_backtest_finds_it(place: Place) -> None:
    installation, client = place.installation, place.client
    master = {"X-API-KEY": master_token(load({"data": str(installation.data)}, {}))}

    def send(path: str, body: Any = None, headers: dict[str, str] | None = None, method: str = "POST") -> Any:
        answer = client.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def tried(kind: str, *how: str) -> Any:
        """By a command, as a server asks about each moment of the mail log once."""
        draft = installation.data / "draft.json"
        draft.write_text(json.dumps({"name": kind, "rules": [{"type": kind, **RULES[kind]}]}))
        return installation.answer("alerts", how[0], str(draft), *how[1:], "--workspace", "acme")

    def is_firing(kind: str) -> bool:
        return bool(tried(kind, "test")["fired"])

    def is_silent(kind: str) -> bool:
        return not is_firing(kind)

    def is_joined() -> bool:
        """Whether all four reports have found their mails: an alert tells what was true when it fired."""
        fired = tried("MV_COMPLAINT_RATE", "test")["fired"]
        return bool(fired) and fired[0]["matchings"]["items"][0]["value"] == 1.0

    heartbeat = go_wrong(place, send, master)
    installation.wait_for(is_joined)
    made = {
        kind: send("/api/v1.0/alerts", {"name": kind, "rules": [{"type": kind, **rule}]})["id"]
        for kind, rule in RULES.items()
    }

    def told(kind: str) -> Any:
        entries = client.get(f"/api/v1.0/alerts/{made[kind]}/log").json()["data"]
        return entries and entries[0]["rules"][0]["matchings"]["items"]

    firing = [kind for kind in RULES if kind != "MV_HEARTBEAT_RETURNED"]
    found = {kind: installation.wait_for(partial(told, kind)) for kind in firing}
    assert found["MV_QUOTA"] == [{"name": "shop", "limit_of": "LOGIN", "window": "DAY", "value": 90.0}]
    assert found["MV_SENDING_STOPPED"] == [{"domain": OURS}]
    ((silent,), (waiting,), (late,)) = (found[kind] for kind in ("MV_LOG_SILENT", "MV_WAITING_MAIL", "MV_WAITING_AGE"))
    assert (silent["log"], waiting) == (str(place.log), {"destination": "all", "value": 3})
    assert late["destination"] == "waits.example"
    rate = {"time_range": "ONE_DAY", "value": 1.0}
    assert found["MV_BOUNCE_RATE"] == [{"domain": "gone.example", **rate}]
    assert found["MV_DEFERRAL_RATE"] == [{"domain": "waits.example", **rate}]
    assert found["MV_COMPLAINT_RATE"] == [{"domain": "cross.example", **rate}]
    ((missed,), (change,)) = (found[kind] for kind in ("MV_HEARTBEAT_MISSED", "MV_SUDDEN_CHANGE"))
    assert (missed["heartbeat"], change["direction"]) == ("nightly", "LESS")
    for kind in firing:  # before the log tells of the past what was not known then
        assert tried(kind, "backtest", "--days", "2")["firings"], kind

    go_well(place, send, master)

    def called(look: Callable[[str], Any], kind: str) -> Any:
        assert httpx.post(heartbeat, timeout=PATIENCE).text == "OK\n"
        return look(kind)

    assert installation.wait_for(partial(called, told, "MV_HEARTBEAT_RETURNED"))[0]["heartbeat"] == "nightly"
    assert tried("MV_HEARTBEAT_RETURNED", "backtest", "--days", "2")["firings"]
    for kind in firing:
        installation.wait_for(partial(called, is_silent, kind))
    installation.run("heartbeat", "delete", "nightly")
    assert httpx.get(heartbeat, timeout=PATIENCE).status_code == 404
