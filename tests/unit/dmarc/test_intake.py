"""Reports are kept once, with their rows, and told as observations; whatever happens in between."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pytest

from mailvane.core.errors import InvalidInput, StoreUnavailable
from mailvane.dmarc.counts import Counts
from mailvane.dmarc.intake import Aggregate, Failure, Found, ReportIntake, Taken, TlsSessions, Unread
from mailvane.dmarc.joining import PATIENCE_MS, Joining
from mailvane.dmarc.model import RowQuestion
from mailvane.maillog.complaints import Came, Complaint, ComplaintIntake, EnclosedMail
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import AssetKind, AssetStatus, Observation, ObservationKind, Refresh, Source
from mailvane.server.ledger import Ledger
from tests.ledgers import fresh_ledger

NOW = 1_790_000_000_000
DAY = 86_400_000
ROWS: Sequence[dict[str, Any]] = (
    {"source_ip": "192.0.2.1", "count": 2, "dkim_aligned": True, "spf_aligned": True},
    {"source_ip": "192.0.2.2", "count": 5, "dkim_aligned": False, "spf_aligned": False},
)
REPORT = Aggregate(
    name="one",
    organisation="Receiver",
    report_id="r1",
    domain="Shop.Example.",
    begins=NOW - 2 * DAY,
    ends=NOW - DAY,
    head={"policy": {"p": "none"}},
    counts=Counts(messages=7, dmarc_fail=5, spf_fail=5),
    rows=ROWS,
    row_count=2,
)
TLS = TlsSessions(
    name="two", organisation="Sender", report_id="t1", domain="shop.example", begins=NOW - 2 * DAY, ends=NOW - DAY,
    succeeded=9, failed=1, data={"failures": []},
)  # fmt: skip
COMPLAINT = Failure(name="three", domain="shop.example", digest="d1", at=NOW - DAY, data={"feedback_type": "abuse"})


class Kept:
    """A workspace, what is in the files that come, and what alerts heard."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.workspace = ledger.tenants.add_workspace("one", NOW).id
        self.found: list[Found] = []
        self.broken = ""
        self.heard: list[set[Source]] = []
        self.watched_assets = WatchedAssets(ledger.assets, ledger.observations, self._hear)
        self.intake = ReportIntake(ledger.reports, self.watched_assets, self._read)

    def _hear(self, _workspace: int, sources: Collection[Source], _now: int) -> None:
        self.heard.append(set(sources))

    def _read(self, _file: BinaryIO, _name: str) -> Iterator[Found]:
        yield from self.found
        if self.broken:
            raise InvalidInput(self.broken)

    def handing_on(self, complaints: ComplaintIntake) -> ReportIntake:
        self.joining = Joining(complaints, self.ledger.unjoined)
        return ReportIntake(self.ledger.reports, self.watched_assets, self._read, self.joining)

    def take(self, *found: Found, now: int = NOW) -> list[Taken]:
        self.found = list(found)
        return self.intake.take(self.workspace, io.BytesIO(), "file", now)

    def told(self, *kinds: ObservationKind) -> list[Observation]:
        return self.watched_assets.observations(self.workspace, kinds or tuple(ObservationKind), 0, NOW * 2)

    def rows(self) -> list[Any]:
        question = RowQuestion(workspace=self.workspace, since=0, until=NOW * 2)
        return self.ledger.reports.report_rows(question)[1]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    yield Kept(ledger)
    ledger.close()


def changed(found: Aggregate, **changes: Any) -> Aggregate:
    return msgspec.structs.replace(found, **changes)


def test_a_report_is_kept_with_its_rows_and_told_once(kept: Kept) -> None:
    (taken,) = kept.take(REPORT)
    assert taken == Taken(
        name="one", kind=ObservationKind.DMARC, new=True, organisation="Receiver", report_id="r1",
        domain="shop.example", rows=2, messages=7,
    )  # fmt: skip
    (told,) = kept.told()
    assert (told.asset, told.key, told.at) == ("shop.example", "Receiver/r1", NOW - DAY)
    assert told.data == {
        "organisation": "Receiver",
        "report_id": "r1",
        "messages": 7,
        "spf_fail": 5,
        "dkim_fail": 0,
        "dmarc_fail": 5,
        "spf_alignment_fail": 0,
        "dkim_alignment_fail": 0,
        "period_from": NOW - 2 * DAY,
        "period_to": NOW - DAY,
    }
    assert [row["count"] for row in kept.rows()] == [5, 2]
    (report,) = kept.ledger.reports.reports(kept.workspace, 0, NOW)
    assert (report.domain, report.messages, report.rows, report.received_at) == ("shop.example", 7, 2, NOW)
    assert report.head == {"policy": {"p": "none"}}
    assert kept.heard == [{Source.DMARC}]


def test_a_report_that_comes_again_changes_nothing(kept: Kept) -> None:
    kept.take(REPORT)
    again = changed(REPORT, name="again", rows=[*ROWS, *ROWS], domain="SHOP.example")
    (taken,) = kept.take(again, now=NOW + 5)
    assert (taken.kind, taken.new) == (ObservationKind.DMARC, False)
    assert [each.data["messages"] for each in kept.told()] == [7]
    assert len(kept.rows()) == 2
    assert len(kept.heard) == 1


def test_the_same_id_of_another_organisation_or_domain_is_another_report(kept: Kept) -> None:
    taken = kept.take(REPORT, changed(REPORT, organisation="Other"), changed(REPORT, domain="other.example"), REPORT)
    assert [each.new for each in taken] == [True, True, True, False]
    assert len(kept.told()) == 3


@pytest.mark.parametrize(
    "other",
    [{"ends": NOW}, {"begins": NOW - DAY, "ends": NOW}, {"begins": NOW - 3 * DAY}, {"begins": NOW - 2 * DAY + 1}],
)
def test_one_id_of_two_times_is_two_reports(kept: Kept, other: dict[str, int]) -> None:
    assert kept.take(REPORT)[0].new
    second = changed(REPORT, counts=Counts(messages=4), **other)
    assert kept.take(second)[0].new
    assert not kept.take(REPORT)[0].new
    assert not kept.take(second)[0].new
    assert sorted(told.data["messages"] for told in kept.told()) == [4, 7]
    assert len(kept.ledger.reports.reports(kept.workspace, 0, NOW * 2)) == 2
    assert len(kept.rows()) == 4


FORGED = {
    "source_ip": "198.51.100.7", "count": 60, "dkim_aligned": False, "spf_aligned": False,
    "spf": [{"result": "fail"}], "dkim": [{"result": "pass"}],
}  # fmt: skip


def test_rows_of_another_file_of_one_report_are_counted_once(kept: Kept) -> None:
    kept.take(REPORT)
    second = changed(REPORT, counts=Counts(messages=62), rows=[FORGED, ROWS[0]])
    (taken,) = kept.take(second)
    assert (taken.new, taken.rows, taken.messages) == (True, 1, 60)
    assert "60 messages in 1 rows that were not kept yet are counted" in taken.remarks[0]
    (report,) = kept.ledger.reports.reports(kept.workspace, 0, NOW)
    assert (report.messages, report.rows, len(kept.rows())) == (67, 3, 3)
    # Whichever file comes again changes nothing; so does one that says the same in another order.
    for again in (REPORT, second, changed(REPORT, rows=[*ROWS, FORGED]), changed(REPORT, rows=[FORGED])):
        assert not kept.take(again)[0].new
    told = sorted((each.data["messages"], each.data["dmarc_fail"], each.data["dkim_fail"]) for each in kept.told())
    assert told == [(7, 5, 0), (60, 60, 0)]
    assert len(kept.rows()) == 3


def test_the_rows_of_a_third_file_follow(kept: Kept) -> None:
    kept.take(REPORT)
    others = [{**FORGED, "source_ip": f"198.51.100.{number}"} for number in range(3)]
    for number, row in enumerate(others):
        (taken,) = kept.take(changed(REPORT, rows=[*others[:number], row]))
        assert (taken.new, taken.rows) == (True, 1)
    assert sum(each.data["messages"] for each in kept.told()) == 7 + 3 * 60
    assert len(kept.rows()) == 5


def test_a_row_with_another_count_is_the_same_row_and_said(kept: Kept) -> None:
    kept.take(REPORT)
    (taken,) = kept.take(changed(REPORT, rows=[{**ROWS[0], "count": 9}, ROWS[1]]))
    assert not taken.new
    assert taken.remarks == ("1 rows are kept with another count of messages: those of this file were not counted",)
    assert sum(row["count"] for row in kept.rows()) == 7
    assert kept.take(REPORT)[0].remarks == ()


def test_a_part_that_was_kept_before_we_were_stopped_is_told_when_it_comes_again(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> int:
        raise StoreUnavailable

    kept.take(REPORT)
    second = changed(REPORT, rows=[FORGED])
    with monkeypatch.context() as patched:
        patched.setattr(kept.watched_assets, "record", stopped)
        with pytest.raises(StoreUnavailable):
            kept.take(second)
    assert [each.data["messages"] for each in kept.told()] == [7]
    assert kept.take(second)[0].new
    assert sorted(each.data["messages"] for each in kept.told()) == [7, 60]


def test_a_report_whose_rows_were_kept_before_we_were_stopped_is_told_when_it_comes_again(kept: Kept) -> None:
    class Stopped(WatchedAssets):
        def record(self, workspace: int, refreshes: object, now: int) -> int:
            raise StoreUnavailable

    kept.found = [REPORT, TLS]
    stopped = ReportIntake(kept.ledger.reports, Stopped(kept.ledger.assets, kept.ledger.observations), kept._read)
    with pytest.raises(StoreUnavailable):
        stopped.take(kept.workspace, io.BytesIO(), "file", NOW)
    assert kept.told() == []
    taken = kept.take(REPORT, TLS)
    assert [each.new for each in taken] == [False, True]
    assert len(kept.told()) == 2
    assert len(kept.rows()) == 2


def test_tls_reports_and_complaints_are_told_once_too(kept: Kept) -> None:
    assert [each.new for each in kept.take(TLS, COMPLAINT)] == [True, True]
    assert [each.new for each in kept.take(TLS, COMPLAINT)] == [False, False]
    complaint, sessions = sorted(kept.told(), key=lambda one: one.kind)
    assert (complaint.kind, complaint.key, complaint.data) == (
        ObservationKind.FAILURE, "d1", {"feedback_type": "abuse"},
    )  # fmt: skip
    assert (sessions.kind, sessions.key) == (ObservationKind.TLS, "Sender/t1")
    assert (sessions.data["succeeded"], sessions.data["failed"], sessions.data["period_to"]) == (9, 1, NOW - DAY)
    assert kept.heard == [{Source.DMARC}]


def test_a_complaint_without_a_time_or_of_the_future_is_of_now(kept: Kept) -> None:
    kept.take(msgspec.structs.replace(COMPLAINT, at=0), msgspec.structs.replace(COMPLAINT, at=NOW + DAY, digest="d2"))
    assert [each.at for each in kept.told()] == [NOW, NOW]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (changed(REPORT, ends=NOW + 3 * DAY), "its time range ends in the future"),
        (changed(REPORT, domain=" . "), "it names no domain"),
        (changed(REPORT, domain="no domain!"), "no domain"),
        (msgspec.structs.replace(COMPLAINT, domain="@"), "@"),
        (Unread(name="one", reason="it is empty"), "it is empty"),
    ],
)
def test_what_cannot_be_believed_is_refused_and_keeps_no_other_out(kept: Kept, found: Found, told: str) -> None:
    refused, taken = kept.take(found, TLS)
    assert refused.kind is None
    assert told in refused.reason
    assert taken.new
    assert len(kept.told()) == 1
    assert kept.rows() == []


def test_what_was_read_before_a_file_broke_is_kept(kept: Kept) -> None:
    kept.broken = "cut off"
    taken = kept.take(REPORT)
    assert [(each.kind, each.reason) for each in taken] == [(ObservationKind.DMARC, ""), (None, "cut off")]
    assert len(kept.told()) == 1


def test_a_file_without_a_report_says_so(kept: Kept) -> None:
    assert kept.take() == [Taken(name="file", reason="there is no report in it")]


def test_rows_that_cannot_be_read_leave_nothing_of_their_report(kept: Kept) -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield ROWS[0]
        raise InvalidInput("broken")

    (taken,) = kept.take(changed(REPORT, rows=broken()))
    assert (taken.kind, taken.reason) == (None, "broken")
    assert kept.told() == []
    assert kept.rows() == []
    assert kept.take(REPORT)[0].new


def test_remarks_are_kept_with_the_report(kept: Kept) -> None:
    (taken,) = kept.take(changed(REPORT, remarks=("a record was passed over",)))
    assert taken.remarks == ("a record was passed over",)
    (report,) = kept.ledger.reports.reports(kept.workspace, 0, NOW)
    assert report.head["remarks"] == ["a record was passed over"]


def test_reports_do_not_put_off_the_question_about_a_domains_policy(kept: Kept) -> None:
    kept.watched_assets.add(kept.workspace, AssetKind.DMARC, ["shop.example"], NOW)
    kept.take(REPORT)
    (asset,) = kept.watched_assets.assets(kept.workspace, AssetKind.DMARC)
    assert (asset.asked_at, asset.status) == (0, AssetStatus.WAITING)


def test_workspaces_know_nothing_of_each_other(kept: Kept) -> None:
    kept.take(REPORT)
    other = kept.ledger.tenants.add_workspace("two", NOW).id
    (taken,) = kept.intake.take(other, io.BytesIO(), "file", NOW)
    assert taken.new
    assert kept.ledger.reports.reports(other, 0, NOW)[0].messages == 7


class Remembering:
    """Takes complaints as the service does; may be away."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.looked: list[tuple[str, Came]] = []
        self.away = False
        self.knows = True

    def take(self, _workspace: int, _mail: EnclosedMail, digest: str, _now: int) -> Complaint:
        if self.away:
            raise StoreUnavailable
        self.given.append(digest)
        return Complaint(mail_id="0" * 18 if self.knows else "", counted="shop.example", remarks=("said so",))

    def join(self, _workspace: int, _mail: EnclosedMail, digest: str, came: Came, _now: int) -> Complaint | None:
        self.looked.append((digest, came))
        return Complaint(mail_id="1" * 18, counted=came.counted) if self.knows else None


def abuse(digest: str = "d1", feedback_type: str = "abuse", at: int = NOW - DAY) -> Failure:
    mail = EnclosedMail(feedback_type=feedback_type)
    return msgspec.structs.replace(COMPLAINT, digest=digest, mail=mail, at=at)


def test_a_complaint_is_handed_on_once_and_kept_with_what_became_of_it(kept: Kept) -> None:
    complaints = Remembering()
    kept.intake = kept.handing_on(complaints)
    (taken,) = kept.take(abuse())
    assert (taken.new, taken.remarks) == (True, ("said so",))
    assert not kept.take(abuse())[0].new
    kept.take(abuse("d2", "not-spam"), abuse("d3", "auth-failure"))
    assert complaints.given == ["d1"]
    (told,) = [each for each in kept.told(ObservationKind.FAILURE) if each.key == "d1"]
    assert told.data["complaint"]["mail_id"] == "0" * 18


def test_a_complaint_that_could_not_be_kept_comes_again(kept: Kept) -> None:
    complaints = Remembering()
    kept.intake = kept.handing_on(complaints)
    complaints.away = True
    with pytest.raises(StoreUnavailable):
        kept.take(abuse())
    complaints.away = False
    assert kept.take(abuse())[0].new


def test_a_complaint_whose_mail_is_not_known_is_looked_for_ever_more_seldom_and_joined_once(kept: Kept) -> None:
    complaints = Remembering()
    kept.intake, complaints.knows = kept.handing_on(complaints), False
    kept.take(abuse())
    kept.take(abuse("d2", "not-spam"))
    looks = []
    for minute in range(300):
        before = len(complaints.looked)
        kept.joining.finish(NOW + minute * 60_000)
        looks += [minute] * (len(complaints.looked) - before)
    assert looks == [1, 3, 7, 15, 31, 63, 123, 183, 243]
    assert set(map(str, complaints.looked)) == {str(("d1", Came(at=NOW, counted="shop.example")))}
    complaints.knows = True
    assert kept.joining.round(NOW + 304 * 60_000) == 1
    assert kept.joining.round(NOW + 30 * DAY) == 0
    (told,) = [each for each in kept.told(ObservationKind.FAILURE) if each.key == "d1"]
    assert (told.at, told.data["complaint"]["mail_id"], told.data["feedback_type"]) == (NOW - DAY, "1" * 18, "abuse")
    assert not kept.take(abuse())[0].new


def test_a_complaint_whose_mail_never_comes_is_given_up(kept: Kept) -> None:
    complaints = Remembering()
    kept.intake, complaints.knows = kept.handing_on(complaints), False
    kept.take(abuse())
    assert kept.joining.round(NOW + PATIENCE_MS) == 1
    assert kept.joining.round(NOW + 2 * PATIENCE_MS) == 0
    assert kept.told(ObservationKind.FAILURE)[0].data["complaint"]["mail_id"] == ""


def test_mail_that_comes_later_has_reports_looked_for_at_once(kept: Kept) -> None:
    complaints = Remembering()
    kept.intake, complaints.knows = kept.handing_on(complaints), False
    kept.take(abuse())
    kept.ledger.unjoined.hasten(NOW)
    assert kept.joining.round(NOW) == 1


def test_a_report_without_a_time_is_known_when_it_comes_again_later(kept: Kept) -> None:
    assert kept.take(abuse(at=0))[0].new
    assert not kept.take(abuse(at=0), now=NOW + DAY)[0].new
    assert len(kept.told(ObservationKind.FAILURE)) == 1


def steps_of(ledger: Ledger, take: Callable[[], object]) -> int:
    """How many steps SQLite's machine takes meanwhile, in hundreds: work, whatever the time."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    with ledger.database.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(step, 100)
    take()
    with ledger.database.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(None, 100)
    return count


@pytest.mark.parametrize("report", [TLS, abuse()])
def test_reports_of_one_moment_cost_each_the_same_however_many_there_are(
    kept: Kept, report: TlsSessions | Failure
) -> None:
    name = "report_id" if isinstance(report, TlsSessions) else "digest"

    def take(first: int, last: int) -> None:
        for number in range(first, last):
            assert kept.take(msgspec.structs.replace(report, **{name: f"r{number}"}))[0].new

    first = steps_of(kept.ledger, lambda: take(0, 200))
    second = steps_of(kept.ledger, lambda: take(200, 400))
    assert 20 < second < 1.5 * first
    assert len(kept.told()) == 400


def test_what_cannot_be_stored_of_one_report_keeps_no_other_from_being_kept(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = kept.watched_assets.record

    def refusing(workspace: int, refreshes: Iterable[Refresh], now: int) -> int:
        told = list(refreshes)
        if any("bad" in one.key for each in told for one in each.observations):
            raise InvalidInput("a value cannot be stored")
        return record(workspace, told, now)

    monkeypatch.setattr(kept.watched_assets, "record", refusing)
    bad = msgspec.structs.replace(TLS, report_id="bad")
    taken = kept.take(TLS, bad, COMPLAINT)
    assert [each.reason for each in taken if each.kind is None] == ["a value cannot be stored"]
    assert len(kept.told()) == 2


def test_a_report_that_makes_us_fail_is_refused_and_the_others_are_kept(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(kept.ledger.reports, "add_report", failing)
    first, second = kept.take(REPORT, TLS)
    assert (first.kind, first.reason) == (None, "it could not be kept: ZeroDivisionError")
    assert second.new
