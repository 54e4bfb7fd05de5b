"""Reports that arrived are taken, and each domain's policy is asked of a real name server."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest

from mailvane.core.dns.lookups import Lookups
from mailvane.core.errors import CollectionFailed, InvalidInput
from mailvane.dmarc.collector import DmarcReports, make
from mailvane.dmarc.intake import Taken
from mailvane.dmarc.settings import DmarcSettings, ImapMailbox, ReportDirectory
from mailvane.reputation.model import Asset, AssetKind, ObservationKind, Refresh, Source
from mailvane.reputation.settings import ReputationSettings
from tests.unit.dmarc.imap_server import ImapServer
from tests.unit.dmarc.readers.test_containers import zipped
from tests.unit.dmarc.reports import ENDS, aggregate, mail_with, tls
from tests.unit.reputation.sources.dnsbl.name_server import NameServer
from tests.waiting import PATIENCE

NOW = 1_790_000_000_000


@pytest.fixture
def server() -> Iterator[NameServer]:
    records = {("_dmarc.shop.example", "TXT"): '"v=DMARC1; p=reject; rua=mailto:d@shop.example"'}
    with NameServer({"failing.example": "failing"}, records).running() as running:
        yield running


def lookups(server: NameServer) -> Lookups:
    return Lookups([f"127.0.0.1:{server.port}"], timeout=PATIENCE)


class Desk:
    """Takes what arrives."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, bytes, int]] = []

    def __call__(self, workspace: str, file: BinaryIO, name: str, now: int) -> Sequence[Taken]:
        self.taken.append((workspace, name, file.read(), now))
        return [Taken(name=name, kind=ObservationKind.DMARC)]


def refreshed(collector: DmarcReports, *names: str) -> list[Refresh]:
    async def ask() -> list[Refresh]:
        assets = [Asset(id=name, workspace=1, kind=AssetKind.DMARC, name=name, created_at=0) for name in names]
        return [refresh async for refresh in collector.refresh(assets, NOW)]

    return sorted(asyncio.run(ask()), key=lambda one: one.asset)


def dropped(tmp_path: Path) -> ReportDirectory:
    (tmp_path / "r.xml").write_bytes(b"report")
    os.utime(tmp_path / "r.xml", (0, 0))
    return ReportDirectory(path=str(tmp_path), workspace="files")


def test_it_speaks_for_its_source() -> None:
    assert made().source is Source.DMARC


def made() -> DmarcReports:
    return make(DmarcSettings(), ReputationSettings())


def test_each_domains_policy_is_told(server: NameServer) -> None:
    other, shop = refreshed(DmarcReports(DmarcSettings(), partial(lookups, server)), "shop.example", "other.test")
    assert (shop.kind, shop.at, shop.error) == (AssetKind.DMARC, NOW, "")
    assert (shop.details["p"], shop.details["rua"]) == ("reject", ["mailto:d@shop.example"])
    assert (other.error, other.details["dmarc"]) == ("", "")


def test_that_there_is_no_policy_is_known_when_the_resolver_finds_the_domain(server: NameServer) -> None:
    collector = DmarcReports(DmarcSettings(), partial(lookups, server))
    server.records["_dmarc.shop.example", "TXT"] = '"v=spf1 -all"'
    (unknown,) = refreshed(collector, "shop.example")
    assert "the resolver finds neither the domain nor a name above it" in unknown.error
    assert unknown.details == {}
    server.records["shop.example", "A"] = "192.0.2.1"
    (known,) = refreshed(collector, "shop.example")
    assert (known.error, known.details["dmarc"]) == ("", "")
    server.turning = {"_dmarc.example": ("example", "nothing")}
    (unknown,) = refreshed(collector, "shop.example")
    assert unknown.error


def test_a_name_server_that_fails_leaves_the_policy_unknown(server: NameServer) -> None:
    (failed,) = refreshed(DmarcReports(DmarcSettings(), partial(lookups, server)), "failing.example")
    assert "its policy could not be asked for: SERVFAIL" in failed.error


def test_what_arrived_is_taken_before_policies_are_asked_for(server: NameServer, tmp_path: Path) -> None:
    with ImapServer(b"mail").running() as imap:
        mailbox = ImapMailbox(host="127.0.0.1", port=imap.port, security="none", workspace="mails", password_file=None)
        imap.password = ""
        collector = DmarcReports(
            DmarcSettings(reports_mailbox=mailbox, reports_directory=dropped(tmp_path)), partial(lookups, server)
        )
        decision_queue = collector.take = Desk()
        refreshed(collector, "shop.example")
    assert collector.fetches
    assert decision_queue.taken == [("files", "r.xml", b"report", NOW), ("mails", "message 101", b"mail", NOW)]


def test_until_somebody_takes_reports_none_are_fetched(server: NameServer, tmp_path: Path) -> None:
    collector = DmarcReports(DmarcSettings(reports_directory=dropped(tmp_path)), partial(lookups, server))
    assert asyncio.run(collector.fetch(NOW)) == 0
    assert (tmp_path / "r.xml").exists()


def test_a_mailbox_that_is_away_keeps_no_file_from_being_taken(server: NameServer, tmp_path: Path) -> None:
    mailbox = ImapMailbox(host="127.0.0.1", port=1, security="none")
    collector = DmarcReports(
        DmarcSettings(reports_mailbox=mailbox, reports_directory=dropped(tmp_path)), partial(lookups, server)
    )
    decision_queue = collector.take = Desk()
    with pytest.raises(CollectionFailed, match=r"the mailbox @127\.0\.0\.1 cannot be opened"):
        asyncio.run(collector.fetch(NOW))
    assert len(decision_queue.taken) == 1
    (unknown,) = refreshed(collector, "shop.example")
    assert "cannot be opened" in unknown.error
    assert unknown.details == {}


def test_a_file_tells_its_reports() -> None:
    content = mail_with(("application/gzip", "r.gz", gzip.compress(aggregate())), ("application/json", "t", tls()))
    one, other = made().read(io.BytesIO(content), "m.eml", NOW)
    assert (one.asset, one.observations[0].kind, one.observations[0].at) == (
        "shop.example", ObservationKind.DMARC, ENDS * 1000,
    )  # fmt: skip
    assert other.observations[0].kind is ObservationKind.TLS


def test_a_file_that_is_broken_is_refused_after_what_was_read_of_it() -> None:
    found = made().read(io.BytesIO(zipped(("a", aggregate()), ("b", b"<x/>"))), "r.zip", NOW)
    assert next(found).asset == "shop.example"
    with pytest.raises(InvalidInput, match=r"r\.zip: b: its root element is 'x'"):
        next(found)
