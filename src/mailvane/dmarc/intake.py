"""Takes reports that others send about a domain's mail: keeps their rows, and tells what they say as observations.

It knows no format: a reader finds the reports in a file. What was kept is durable before `take` returns, and a file
that comes again changes nothing, so whoever hands in files may do so twice rather than never.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from mailvane.core.errors import InvalidInput, MailvaneError, Transient
from mailvane.core.identifiers import new_id
from mailvane.core.moments import DAY_MS
from mailvane.dmarc.counts import Counts
from mailvane.dmarc.joining import Joining
from mailvane.dmarc.model import AggregateReport, HeardService, ReportPart
from mailvane.dmarc.sending_services import name_of_service
from mailvane.dmarc.store.reports import ReportStore
from mailvane.dmarc.store.senders import SenderStore
from mailvane.maillog.complaints import EnclosedMail, is_complaint
from mailvane.reputation.asset_names import normalized
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Refresh, Source

log = logging.getLogger(__name__)

LEARNING_MS = 7 * DAY_MS  # who sends while a domain's first reports come was there before
NEWS_MS = 14 * DAY_MS  # who has sent for so long when we hear of it is no news
LATEST_MS = 2 * DAY_MS  # how far ahead of our clock a report may end


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """A DMARC aggregate report as read. Its rows can be gone through until the next report is asked for."""

    name: str
    organisation: str
    report_id: str
    domain: str
    begins: int
    ends: int
    head: Mapping[str, Any]
    counts: Counts
    rows: Iterable[Mapping[str, Any]]
    row_count: int
    remarks: tuple[str, ...] = ()


class TlsSessions(msgspec.Struct, frozen=True, kw_only=True):
    """What a TLS report says of one policy domain."""

    name: str
    organisation: str
    report_id: str
    domain: str
    begins: int
    ends: int
    succeeded: int
    failed: int
    data: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One complaint, or one mail that failed authentication."""

    name: str
    domain: str
    digest: str
    at: int  # 0: the report names no time
    data: Mapping[str, Any]
    mail: EnclosedMail = EnclosedMail(feedback_type="")
    remarks: tuple[str, ...] = ()


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a file that could not be read, while others may."""

    name: str
    reason: str


Found = Aggregate | TlsSessions | Failure | Unread
Reader = Callable[[BinaryIO, str], Iterator[Found]]
"""Finds the reports of a file. Raises InvalidInput when nothing (more) of it can be read."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one report of a file."""

    name: str  # of the file, or of the part of it
    kind: ObservationKind | None = None  # none: refused
    new: bool = False
    organisation: str = ""
    report_id: str = ""
    domain: str = ""
    rows: int = 0
    messages: int = 0
    reason: str = ""  # why it was refused
    remarks: tuple[str, ...] = ()  # what of it was passed over, and why


class ReportIntake:
    """Safe to share between threads."""

    def __init__(
        self,
        reports: ReportStore,
        watched_assets: WatchedAssets,
        read: Reader,
        complaints: Joining | None = None,
        senders: SenderStore | None = None,
    ) -> None:
        """Without `complaints`, abuse reports are kept and change nothing else; without `senders`, none is news."""
        self._senders = senders
        self._reports = reports
        self._watched_assets = watched_assets
        self._read = read
        self._complaints = complaints

    def take(self, workspace: int, file: BinaryIO, name: str, now: int) -> list[Taken]:
        """Keep what a file says; one answer for each report in it, at least one. The file must allow seeking.

        What cannot be kept of one report is refused with the reason; the others are kept. Raises StoreUnavailable.
        """
        taken: list[Taken] = []
        pending: list[Observation] = []
        try:
            taken.extend(self._guarded(workspace, found, now, pending) for found in self._read(file, name))
        except InvalidInput as error:
            taken.append(Taken(name=name, reason=error.message))
        if pending:
            taken += self._tell(workspace, pending, name, now)
        return taken or [Taken(name=name, reason="there is no report in it")]

    def _guarded(self, workspace: int, found: Found, now: int, pending: list[Observation]) -> Taken:
        try:
            return self._one(workspace, found, now, pending)
        except (Transient, OSError):
            raise
        except MailvaneError as error:
            return Taken(name=found.name, reason=error.message)
        except Exception as error:
            log.exception("%s could not be kept", found.name)
            return Taken(name=found.name, reason=f"it could not be kept: {type(error).__name__}")

    def _tell(self, workspace: int, observations: list[Observation], name: str, now: int) -> list[Taken]:
        """Store the observations, one by one if one of them cannot be stored; what was refused."""
        try:
            # It came by itself: no asset was asked about, so the next question about one is not put off.
            self._watched_assets.record(
                workspace,
                [
                    Refresh(
                        source=Source.DMARC, kind=AssetKind.DMARC, asset="", at=now, observations=tuple(observations)
                    )
                ],
                now,
            )
        except InvalidInput as error:
            if len(observations) == 1:
                return [Taken(name=name, domain=observations[0].asset, reason=error.message)]
            return [refused for each in observations for refused in self._tell(workspace, [each], name, now)]
        return []

    def _one(self, workspace: int, found: Found, now: int, pending: list[Observation]) -> Taken:
        if isinstance(found, Unread):
            return Taken(name=found.name, reason=found.reason)
        try:
            observation = observation_of(found, now)
        except InvalidInput as error:
            return Taken(name=found.name, reason=error.message)
        if isinstance(found, Aggregate):
            return self._aggregate(workspace, found, observation, pending)
        new = not self._is_recorded(workspace, observation)
        if new and isinstance(found, Failure):
            found, observation = self._complained(workspace, found, observation)
        if new:
            pending.append(observation)
        return _taken(found, observation, new=new)

    def _complained(self, workspace: int, found: Failure, observation: Observation) -> tuple[Failure, Observation]:
        """With what became of it, if it is a complaint: that is durable before the report is known."""
        if self._complaints is None or not is_complaint(found.mail.feedback_type):
            return found, observation
        became = self._complaints.take(workspace, observation.asset, found.mail, found.digest, observation.seen_at)
        data = {**observation.data, "complaint": msgspec.to_builtins(became)}
        remarks = (*found.remarks, *became.remarks)
        return msgspec.structs.replace(found, remarks=remarks), msgspec.structs.replace(observation, data=data)

    def _aggregate(
        self, workspace: int, found: Aggregate, observation: Observation, pending: list[Observation]
    ) -> Taken:
        report = _report(found, observation)
        if not self._reports.add_report(workspace, report, found.rows):
            return self._repeated(workspace, found, observation, pending)
        if self._is_recorded(workspace, observation):
            # Two reports of one id that end at the same time are both kept.
            observation = msgspec.structs.replace(observation, key=f"{observation.key}/{found.begins}")
        pending.append(observation)
        pending.extend(self._new_senders(report.id, observation.seen_at))
        return _taken(found, observation, new=True)

    def _new_senders(self, report_id: str, now: int) -> Iterator[Observation]:
        if self._senders is not None:
            for each in self._senders.heard([report_id]):
                yield from self._first_heard(each, now)

    def name_senders(self, heard: Sequence[HeardService], now: int) -> None:
        """Services that DNS told of: that one sends in a domain's name for the first time is kept. Raises Transient."""
        for each in heard:
            if new := list(self._first_heard(each, now)):
                self._tell(each.workspace, new, "senders", now)

    def _first_heard(self, heard: HeardService, now: int) -> Iterator[Observation]:
        """Nothing when it was heard of before. It is news of now, unless it sends for long or from the beginning on."""
        known = Observation(
            kind=ObservationKind.SENDER, asset=heard.domain, key=heard.service, at=now, seen_at=now, data={}
        )
        if self._senders is None or self._is_recorded(heard.workspace, known):
            return
        first_seen = self._senders.first_seen(heard.workspace, heard.domain, heard.service)
        data = {
            "service": heard.service,
            "name": name_of_service(heard.service),
            "messages": heard.messages,
            "first_seen": first_seen,
            "is_news": first_seen >= max(heard.domain_since + LEARNING_MS, now - NEWS_MS),
        }
        yield msgspec.structs.replace(known, data=data)

    def _repeated(
        self, workspace: int, found: Aggregate, observation: Observation, pending: list[Observation]
    ) -> Taken:
        """Of a report that is known: rows that are not kept are counted, with a remark."""
        report = _report(found, observation)
        part = self._reports.add_part(workspace, report, found.rows)
        if not part.rows:
            if not self._is_recorded(workspace, observation):
                # We were stopped after the rows were kept and before alerts heard of them.
                pending.append(observation)
            remarks = (*found.remarks, _recounted(part)) if part.recounted else found.remarks
            return _taken(msgspec.structs.replace(found, remarks=remarks), observation, new=False)
        key = f"{observation.key}/{found.begins}/{part.digest}"
        data = {**observation.data, **msgspec.structs.asdict(part.counts)}
        observation = msgspec.structs.replace(observation, key=key, data=data)
        new = not self._is_recorded(workspace, observation)
        if new:
            pending.append(observation)
        if (known := self._reports.same_report(workspace, report)) is not None:
            pending.extend(self._new_senders(known.id, observation.seen_at))
        remark = (
            "another file of a report of this organisation, domain, id and time:"
            f" {part.counts.messages:,} messages in {part.rows:,} rows that were not kept yet are counted"
        )
        remarks = (*found.remarks, remark, _recounted(part)) if part.recounted else (*found.remarks, remark)
        more = msgspec.structs.replace(found, counts=part.counts, row_count=part.rows, remarks=remarks)
        return _taken(more, observation, new=new)

    def _is_recorded(self, workspace: int, observation: Observation) -> bool:
        # A failure report that names no time is of the moment at which it came.
        timeless = {ObservationKind.FAILURE, ObservationKind.SENDER}
        at = None if observation.kind in timeless else observation.at
        return self._watched_assets.is_observed(workspace, observation.kind, observation.asset, observation.key, at)


def observation_of(found: Aggregate | TlsSessions | Failure, now: int) -> Observation:
    """Raises InvalidInput for implausible values."""
    name = found.domain.strip().rstrip(".")
    if not name:
        raise InvalidInput("it names no domain")
    asset = normalized(AssetKind.DMARC, name)[0]
    if isinstance(found, Failure):
        at = min(found.at or now, now)
        return Observation(
            kind=ObservationKind.FAILURE, asset=asset, key=found.digest, at=at, seen_at=now, data=found.data
        )
    if found.ends > now + LATEST_MS:
        raise InvalidInput("its time range ends in the future")
    kind, said = _said(found)
    data = {**said, "period_from": found.begins, "period_to": found.ends}
    key = f"{found.organisation}/{found.report_id}"
    return Observation(kind=kind, asset=asset, key=key, at=found.ends, seen_at=now, data=data)


def _said(found: Aggregate | TlsSessions) -> tuple[ObservationKind, Mapping[str, Any]]:
    named = {"organisation": found.organisation, "report_id": found.report_id}
    if isinstance(found, Aggregate):
        return ObservationKind.DMARC, {**named, **msgspec.structs.asdict(found.counts)}
    return ObservationKind.TLS, {**found.data, **named, "succeeded": found.succeeded, "failed": found.failed}


def _report(found: Aggregate, observation: Observation) -> AggregateReport:
    return AggregateReport(
        id=new_id(),
        organisation=found.organisation,
        report_id=found.report_id,
        domain=observation.asset,
        begins=found.begins,
        ends=found.ends,
        received_at=observation.seen_at,
        head={**found.head, "remarks": list(found.remarks)} if found.remarks else found.head,
        messages=found.counts.messages,
        rows=found.row_count,
    )


def _taken(found: Aggregate | TlsSessions | Failure, observation: Observation, *, new: bool) -> Taken:
    taken = Taken(name=found.name, kind=observation.kind, new=new, domain=observation.asset, remarks=found.remarks)
    if isinstance(found, Failure):
        return msgspec.structs.replace(taken, messages=1)
    taken = msgspec.structs.replace(taken, organisation=found.organisation, report_id=found.report_id)
    if isinstance(found, Aggregate):
        return msgspec.structs.replace(taken, rows=found.row_count, messages=found.counts.messages)
    return msgspec.structs.replace(taken, messages=found.succeeded + found.failed)


def _recounted(part: ReportPart) -> str:
    return f"{part.recounted:,} rows are kept with another count of messages: those of this file were not counted"
