"""The daily digest: sent once when it is due, made up when it was missed, sent later where it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from mailvane.core.daily import last_due
from mailvane.core.errors import InvalidSetting
from mailvane.core.leasing import Leasing
from mailvane.core.tenants.service import Tenancy
from mailvane.inbound.digest.schedule import LEASE, DigestSchedule, NotSent
from mailvane.inbound.model import MessageStatus
from mailvane.inbound.settings import read_inbound
from mailvane.notify.settings import OutgoingMail
from mailvane.server.digesting import digest_schedule, digesting, digests_of
from mailvane.server.inbound import inbound_services
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings, load
from tests.ledgers import fresh_ledger
from tests.unit.notify.post_office import PostOffice
from tests.wire.inbound import addresses, message, taken_in
from tests.wire.memory_maillog import MemoryMailLog

DAY, HOUR = 86_400_000, 3_600_000
SEVEN = 1_795_762_800_000  # 2026-11-27T07:00:00Z


class Office:
    """A server's part that sends digests, with a clock that tests set: two addresses, one of which has held mail."""

    def __init__(self, place: Path, ledger: Ledger, post: PostOffice) -> None:
        self.now = SEVEN
        self.ledger = ledger
        workspace = ledger.tenants.workspace_named("acme")
        assert workspace is not None
        _, self.alias = addresses(ledger.inbound, workspace.id, "in.example", SEVEN - DAY)
        held = {"status": MessageStatus.QUARANTINED, "content": "ab" * 32, "expires_at": SEVEN + 30 * DAY}
        taken_in(
            ledger.inbound, workspace.id, SEVEN, message(workspace.id, SEVEN - HOUR, address=self.alias.id, **held)
        )
        base = load({"data": str(place)}, {})
        mail = OutgoingMail(host="127.0.0.1", port=post.port, security="none")
        notify = msgspec.structs.replace(base.notify, mail=mail)
        inbound = msgspec.structs.replace(base.inbound, digest_schedule=True, digest_url="https://mail.example")
        self.settings: Settings = msgspec.structs.replace(base, notify=notify, inbound=inbound)
        self.services = inbound_services(
            ledger, Tenancy(ledger.tenants, ""), inbound, place, lambda: nullcontext(MemoryMailLog())
        )

    def schedule(self, **more: Any) -> DigestSchedule:
        """A new one each time, as of another process."""
        digests = digests_of(self.settings, self.services)
        if not more:
            return digest_schedule(self.ledger, digests, lambda: self.now)
        leasing = Leasing(self.ledger.leases, lambda: self.now)
        return DigestSchedule(digests, lambda: [1], leasing, lambda: self.now, **more)

    def due(self) -> list[str]:
        return [one.address for one in asyncio.run(self.schedule().due(1, 7, "UTC"))]


@pytest.fixture
def post() -> Iterator[PostOffice]:
    office = PostOffice()
    with office.running():
        yield office


@pytest.fixture
def office(tmp_path: Path, post: PostOffice) -> Iterator[Office]:
    with closing(fresh_ledger(tmp_path / "ledger.sqlite")) as ledger:
        Tenancy(ledger.tenants, "").create_workspace("acme", SEVEN - DAY)
        yield Office(tmp_path, ledger, post)


def test_a_day_is_told_once_to_those_for_whom_something_is_held(office: Office, post: PostOffice) -> None:
    assert office.due() == ["shop@in.example"]
    assert office.due() == []
    office.now += 10 * HOUR
    assert office.due() == []
    assert post.envelopes[0][1] == ["shop@in.example"]
    assert "https://mail.example/held-mail?t=" in str(post.taken[0].get_body(("plain",)))
    office.now = SEVEN + DAY - 1
    assert office.due() == []
    office.now = SEVEN + DAY
    assert office.due() == ["shop@in.example"]


def test_a_run_that_was_missed_is_made_up_once(office: Office, post: PostOffice) -> None:
    office.now = SEVEN + 3 * DAY + 11 * HOUR
    assert office.due() == ["shop@in.example"]
    assert office.due() == []
    assert len(post.taken) == 1


def test_what_failed_is_sent_later(office: Office, post: PostOffice) -> None:
    post.answers["rcpt"] = "450 4.2.0 later"
    with pytest.raises(NotSent, match="not reached 1 address"):
        office.due()
    post.answers.clear()
    asyncio.run(office.schedule(pauses=(0.0,)).post(last_due(office.now, 7, ZoneInfo("UTC")), office.now))
    assert len(post.taken) == 1
    assert office.due() == []


def test_one_process_at_a_time(office: Office, post: PostOffice) -> None:
    assert office.ledger.leases.hold(LEASE, "another", office.now, 30_000)
    with pytest.raises(NotSent, match="another process"):
        office.due()
    assert post.taken == []


def test_a_server_runs_it_only_when_the_settings_say_so(office: Office) -> None:
    assert len(digesting(office.settings, office.ledger, office.services, lambda: office.now)) == 1
    silent = msgspec.structs.replace(office.settings.inbound, digest_schedule=False)
    settings = msgspec.structs.replace(office.settings, inbound=silent)
    assert digesting(settings, office.ledger, office.services, lambda: office.now) == ()


@pytest.mark.parametrize(
    "table", [{"digest_timezone": "Mars/Olympus"}, {"digest_hour": 24}, {"digest_url": "mail.example"}], ids=str
)
def test_settings_that_cannot_be_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(InvalidSetting):
        read_inbound(table, "mailvane.toml: inbound")
