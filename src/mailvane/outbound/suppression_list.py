"""The suppression list of a workspace: looked at, changed, brought in and taken out as CSV. Blocking."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import DAY_MS, iso_text
from mailvane.outbound.store.suppressions import SuppressionStore, holding
from mailvane.outbound.suppression import (
    LONGEST_NOTE,
    Suppression,
    SuppressionDay,
    SuppressionMode,
    SuppressionReason,
    SuppressionRules,
    listed_form,
    read_listed,
    written,
)

CSV_COLUMNS = ("address", "reason", "noticed_at", "expires_at", "source", "note", "spared", "warned")
MOST_LINES = 2_000_000  # of one file
_ADDRESS_COLUMNS = ("address", "email", "email address", "recipient")
_TIME_COLUMNS = ("noticed_at", "created_at", "created", "date")
_AT_ONCE = 5_000
_PAGE = 1_000
_MOST_PAGE = 10_000
_LAST = "~"  # sorts behind every reason
_LATEST = 253_402_300_799_000  # the end of the year 9999
# Words of others for a reason.
_REASON_WORDS: Mapping[str, SuppressionReason] = {
    "bounce": SuppressionReason.BOUNCED,
    "hard_bounce": SuppressionReason.BOUNCED,
    "hardbounce": SuppressionReason.BOUNCED,
    "complaint": SuppressionReason.COMPLAINED,
    "spam": SuppressionReason.COMPLAINED,
    "spamcomplaint": SuppressionReason.COMPLAINED,
    "unsubscribe": SuppressionReason.UNSUBSCRIBED,
    "manualsuppression": SuppressionReason.MANUAL,
    **{each.value: each for each in SuppressionReason},
}


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """Why an address is put on the list, and until when; without an end, as long as the settings say."""

    reason: SuppressionReason = SuppressionReason.MANUAL
    expires_at: int | None = None
    source: str = ""
    note: str = ""


class RefusedLine(msgspec.Struct, frozen=True):
    """A line of a file that was not taken."""

    line: int  # from 1, the header among them
    why: str


class SuppressionImport(msgspec.Struct, frozen=True):
    """What became of a file."""

    taken: int
    refused: int
    first_refused: tuple[RefusedLine, ...]  # up to ten


class SuppressionStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One reason of an address, with when it ends."""

    address: str
    reason: SuppressionReason
    noticed_at: int
    ends_at: int | None  # None: never
    holds: bool
    source: str
    note: str
    spared: int
    warned: int


class SuppressionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The list in numbers."""

    mode: SuppressionMode
    addresses: dict[SuppressionReason, int]  # that hold now
    days: tuple[SuppressionDay, ...]
    spared: int  # mails of those days; likewise warned
    warned: int


class SuppressionList:
    """Any number of threads may use one."""

    def __init__(self, store: SuppressionStore, rules: SuppressionRules) -> None:
        self._store = store
        self._rules = rules

    def add(self, workspace: int, address: str, said: Said, now: int) -> SuppressionStanding:
        """In place of what is there of the same reason. Raises InvalidInput."""
        if said.expires_at is not None and not now < said.expires_at <= _LATEST:
            raise InvalidInput("the end of a suppression lies in the future")
        entry = Suppression(
            address=read_listed(address), workspace=workspace, reason=said.reason, noticed_at=now,
            expires_at=said.expires_at, source=said.source, note=_note(said.note),
        )  # fmt: skip
        self._store.put([entry])
        return self._standing(entry, now)

    def remove(self, workspace: int, address: str, reason: SuppressionReason | None = None) -> None:
        """Mail may go there again; without a reason, whatever they were. Raises NotFound, InvalidInput."""
        if not self._store.remove(workspace, _named(address), reason):
            raise NotFound(f"{address[:80]} is not on the suppression list")

    def of(self, workspace: int, address: str, now: int) -> list[SuppressionStanding]:
        """Every reason, those that have expired, too; empty when it is not listed. Raises InvalidInput."""
        return [self._standing(each, now) for each in self._store.of(workspace, _named(address))]

    def page(
        self, workspace: int, now: int, *, after: str = "", limit: int = 100, expired: bool = False,
        reason: SuppressionReason | None = None,
    ) -> list[SuppressionStanding]:  # fmt: skip
        """By address, behind that one; `expired`: also those that hold no more. Raises InvalidInput."""
        if not 1 <= limit <= _MOST_PAGE:
            raise InvalidInput(f"a page has 1 to {_MOST_PAGE} rows")
        only = None if expired else holding(self._rules, now)
        found = self._store.page(workspace, (listed_form(after), _LAST), limit, only, reason)
        return [self._standing(each, now) for each in found]

    def summary(self, workspace: int, now: int, days: int = 30) -> SuppressionSummary:
        """Of so many days, today among them."""
        met = tuple(self._store.days(workspace, now - (days - 1) * DAY_MS))
        return SuppressionSummary(
            mode=self._rules.mode,
            addresses=self._store.counts(workspace, holding(self._rules, now)),
            days=met,
            spared=sum(each.spared for each in met),
            warned=sum(each.warned for each in met),
        )

    def take_csv(self, workspace: int, lines: Iterable[str], now: int, source: str) -> SuppressionImport:
        """Bring in a file: a header that names `address` or `email`, or one address a line without any.

        A line that is wrong is left out and told; the others are taken. Raises InvalidInput for what is no such file.
        """
        taken, refused, first, waiting = 0, 0, [], []
        for line, entry in self._entries(workspace, lines, now, source):
            if isinstance(entry, Suppression):
                taken += 1
                waiting.append(entry)
            else:
                refused += 1
                first += [RefusedLine(line, entry)] if refused <= 10 else []
            if len(waiting) == _AT_ONCE:
                self._put(waiting)
                waiting = []
        self._put(waiting)
        return SuppressionImport(taken, refused, tuple(first))

    def csv_rows(
        self, workspace: int, now: int, *, expired: bool = False, after: str = ""
    ) -> Iterator[Sequence[object]]:
        """The rows under `CSV_COLUMNS`, of addresses behind that one; times are ISO 8601, UTC."""
        behind = (listed_form(after), _LAST)
        only = None if expired else holding(self._rules, now)
        while found := self._store.page(workspace, behind, _PAGE, only):
            for each in found:
                ends = "" if each.expires_at is None else iso_text(each.expires_at)
                yield (
                    written(each.address), each.reason.value, iso_text(each.noticed_at), ends, each.source, each.note,
                    each.spared, each.warned,
                )  # fmt: skip
            behind = (found[-1].address, found[-1].reason.value)

    def _put(self, entries: Sequence[Suppression]) -> None:
        last = {(each.address, each.reason): each for each in entries}  # a file may name one twice
        self._store.put(list(last.values()))

    def _entries(
        self, workspace: int, lines: Iterable[str], now: int, source: str
    ) -> Iterator[tuple[int, Suppression | str]]:
        reader = csv.reader(lines, strict=True)
        columns: dict[str, int] | None = None
        try:
            for row in reader:
                if reader.line_num > MOST_LINES:
                    raise InvalidInput(f"a file has up to {MOST_LINES:,} lines")
                if not any(cell.strip() for cell in row):
                    continue
                if columns is None:
                    columns = _columns(row)
                    if columns is not None:
                        continue
                    columns = {"address": 0}
                try:
                    yield reader.line_num, _entry(_cells(columns, row), workspace, now, source)
                except InvalidInput as error:
                    yield reader.line_num, error.message
        except csv.Error as error:
            raise InvalidInput(f"line {reader.line_num} is no CSV: {error}") from None

    def _standing(self, each: Suppression, now: int) -> SuppressionStanding:
        return SuppressionStanding(
            address=written(each.address),
            reason=each.reason,
            noticed_at=each.noticed_at,
            ends_at=self._rules.ends(each.reason, each.noticed_at, each.expires_at),
            holds=self._rules.holds(each.reason, each.noticed_at, each.expires_at, now),
            source=each.source,
            note=each.note,
            spared=each.spared,
            warned=each.warned,
        )


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180, with a header line."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def _named(address: str) -> str:
    """Raises InvalidInput."""
    found = listed_form(address)
    if not found:
        raise InvalidInput(f"{address[:80]!r} is no mail address")
    return found


def _columns(row: Sequence[str]) -> dict[str, int] | None:
    """Where each column is; None: the row is an address, not a header. Raises InvalidInput."""
    names = [cell.strip().lower().removeprefix("\ufeff") for cell in row]
    found: dict[str, int] = {}
    for ours, theirs in (("address", _ADDRESS_COLUMNS), ("noticed_at", _TIME_COLUMNS)):
        place = next((names.index(each) for each in theirs if each in names), None)
        if place is not None:
            found[ours] = place
    if "address" not in found:
        if "@" in row[0]:
            return None
        raise InvalidInput(f"the first line names no column {' or '.join(_ADDRESS_COLUMNS[:2])}")
    return found | {each: names.index(each) for each in ("reason", "expires_at", "note") if each in names}


def _cells(columns: Mapping[str, int], row: Sequence[str]) -> dict[str, str]:
    return {name: row[place].strip() for name, place in columns.items() if place < len(row)}


def _entry(cells: Mapping[str, str], workspace: int, now: int, source: str) -> Suppression:
    """Raises InvalidInput."""
    word = cells.get("reason", "").lower().replace(" ", "_")
    reason = _REASON_WORDS.get(word) if word else SuppressionReason.MANUAL
    if reason is None:
        raise InvalidInput(f"{word[:40]!r} is no reason: expected one of {', '.join(SuppressionReason)}")
    noticed, ends = cells.get("noticed_at", ""), cells.get("expires_at", "")
    return Suppression(
        address=read_listed(cells.get("address", "").removeprefix("\ufeff")),
        workspace=workspace,
        reason=reason,
        noticed_at=min(_moment(noticed), now) if noticed else now,
        expires_at=_moment(ends) if ends else None,
        source=source,
        note=_note(cells.get("note", "")),
    )


def _moment(text: str) -> int:
    """An ISO 8601 time, UTC where it names no zone, or seconds since the epoch. Raises InvalidInput."""
    try:
        if text.isascii() and text.isdigit():
            found = int(text[:12]) * 1000
        else:
            read = datetime.fromisoformat(text)
            found = int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        found = -1
    if not 0 <= found <= _LATEST:
        raise InvalidInput(f"{text[:40]!r} is no time such as 2026-12-31T23:59:59Z")
    return found


def _note(text: str) -> str:
    """Raises InvalidInput."""
    if len(text) > LONGEST_NOTE or not text.isprintable():
        raise InvalidInput(f"a note has up to {LONGEST_NOTE} characters that can be shown")
    return text
