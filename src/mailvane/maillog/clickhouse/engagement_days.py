"""Keeps what settled weeks of `engagement` sum up to by sender and day, each as a partition of `engagement_days`.

A sum is known by the hash of the part that it was made of, so it is right for as long as that part is there, whatever
else is inserted, rewritten or deleted. Sums are written in one block under that hash as token: twice is once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from mailvane.core.errors import MailvaneError, StoreDamaged
from mailvane.maillog.clickhouse.engagement import (
    DAYS,
    NOTHING_KNOWN,
    Known,
    blocks_of,
    engagement_of,
    summed_block,
    summed_by_day,
    whole_besides,
    whole_by_week,
)
from mailvane.maillog.clickhouse.engagement_ever import engagement_and_ever
from mailvane.maillog.clickhouse.engagement_joined import (
    Rows,
    SenderColumns,
    SenderSums,
    SettledRows,
    by_name,
    by_sender,
    is_joined,
    is_ranked,
    joined,
    parts_of,
    ranked,
)
from mailvane.maillog.clickhouse.engine import Engine, Statement
from mailvane.maillog.clickhouse.merged_partitions import SettledWeeks, Week, settled_of
from mailvane.maillog.queries import EngagementCounts, EngagementQuestion
from mailvane.maillog.ranking import HAPPENED, RankingQuestion, SenderRanking, of_everything, ranked_apart

log = logging.getLogger(__name__)


class _WeekCounts(EngagementCounts, frozen=True, kw_only=True, gc=False):
    """Of a week, by the hash of its part."""

    content: str


Lines = Callable[[Statement], bytes]
_decoder = msgspec.json.Decoder(EngagementCounts)
_senders = msgspec.json.Decoder(SenderColumns)
_weeks = msgspec.json.Decoder(_WeekCounts)
_NOTHING = EngagementCounts()
_REMEMBERED = 20_000  # weeks of workspaces
_SOURCE = "engagement"
_ONE_BLOCK = (
    " SETTINGS max_insert_threads = 1, max_insert_block_size = 100000000, min_insert_block_size_rows = 100000000,"
    " min_insert_block_size_bytes = 100000000000, insert_deduplication_token = '{}'"
)
_ROUNDS = 3  # a week that changed while it was asked about is asked about again so often


class EngagementDays:
    """The sums of one server. Any number of threads may use one."""

    def __init__(self, engine: Engine, settles: bool, weeks: SettledWeeks) -> None:
        """Not settled: every mail is read for every question. `weeks` are those of `engagement`."""
        self._engine = engine
        self._settles = settles
        self._weeks = weeks
        self._learning = threading.Lock()
        self._lock = threading.Lock()
        self._contents: frozenset[str] | None = None  # that are summed up, as far as it is known
        self._dropped = 0  # how often sums were
        self._dropping = False  # whether they are now
        self._settled_rows = SettledRows[Rows]()
        self._settled_senders = SettledRows[SenderSums]()
        self._wholes: dict[tuple[int, tuple[int, ...], str], EngagementCounts] = {}  # never changed in place

    def ask(self, question: EngagementQuestion, lines: Lines) -> list[EngagementCounts]:
        """The answer; `lines` asks the mail log, and gives a JSON document a line."""
        if self._settles and question == of_everything(question) and (whole := self._whole(question, lines)):
            return whole
        if self._settles and is_joined(question) and (rows := self._joined(question, lines)) is not None:
            return rows
        return _decoder.decode_lines(self._asked(question, lines))

    def _joined(self, question: EngagementQuestion, lines: Lines) -> list[EngagementCounts] | None:
        """Of settled weeks as it is remembered, of others as it is asked now. None: ask as ever."""
        dropped, known = self._dropped, self._known()
        parts = parts_of(question, known)
        if not parts.weeks:
            return None
        rows = self._settled_rows.known(parts.name)
        try:
            settled = by_name(question, _decoder.decode_lines(lines(parts.settled()))) if rows is None else rows
            found = joined(question, settled, _decoder.decode_lines(lines(parts.others())))
        except StoreDamaged:
            return None
        if not self._still(known, dropped):
            return None
        if rows is None:
            self._settled_rows.learn(parts.name, settled)
        return found

    def ranked(self, question: RankingQuestion, lines: Lines) -> SenderRanking:
        """All senders in their order; `lines` as above."""
        if self._settles and is_ranked(question) and (found := self._ranked(question, lines)) is not None:
            return found
        return ranked_apart(question, lambda each: self.ask(each, lines))

    def _ranked(self, question: RankingQuestion, lines: Lines) -> SenderRanking | None:
        """Likewise joined. None: ask as ever."""
        dropped, known = self._dropped, self._known()
        parts = parts_of(question.by_sender, known)
        if not parts.weeks:
            return None
        sums = self._settled_senders.known(parts.name)
        try:
            settled = by_sender(_senders.decode(lines(parts.settled_senders()))) if sums is None else sums
            whole = self._of_weeks(question.log, parts.weeks, lines)
            others = _senders.decode(lines(parts.other_senders()))
        except StoreDamaged:
            return None
        if not self._still(known, dropped):
            return None
        if sums is None:
            self._settled_senders.learn(parts.name, settled)
        self._remember(question.log, whole)
        return ranked(question, settled, others, whole.values())

    def _asked(self, question: EngagementQuestion, lines: Lines) -> bytes:
        for _ in range(_ROUNDS if self._settles else 0):
            dropped, known = self._dropped, self._known()
            if not known.weeks:
                break
            try:
                answer = lines(_statement(question, known))
            except StoreDamaged:
                log.warning("the sums by day of the mail log cannot be read: they are made anew")
                self.forget()
                break
            if self._still(known, dropped):
                return answer
        return lines(_statement(question))

    def _look(self) -> _Parts:
        """What is settled, and what is summed up of it. Where nobody else writes, both are known without asking."""
        if not self._engine.embedded:
            return self._parts()
        with self._lock:
            contents, dropped = self._contents, self._dropped
        if contents is None:
            contents = self._parts().contents
            with self._lock:
                if self._dropped == dropped and not self._dropping:
                    self._contents = contents
        return _Parts(self._weeks.now(), contents)

    def _parts(self) -> _Parts:
        """Both tables in one statement, as it comes before and after every question to a server."""
        parts: dict[str, list[tuple[object, ...]]] = {_SOURCE: [], DAYS: []}
        for table, *part in self._engine.rows(
            "SELECT table, partition, partition_id, name, if(rows < {least:UInt64}, 0, level), hash_of_all_files"
            " FROM system.parts WHERE active AND database = currentDatabase()"
            " AND (table = {source:String} OR table = {days:String} AND rows > 0)",
            {"least": self._weeks.least, "source": _SOURCE, "days": DAYS},
        ):
            parts[str(table)].append(tuple(part))
        contents = frozenset(str(partition).strip("'") for partition, *_ in parts[DAYS])
        return _Parts(settled_of(part[1:] for part in parts[_SOURCE]), contents)

    def _still(self, known: Known, dropped: int) -> bool:
        """Whether weeks and their sums are as they were when so many had been dropped."""
        have = self._look().have(known)
        with self._lock:
            return have and self._dropped == dropped and not self._dropping

    def _whole(self, question: EngagementQuestion, lines: Lines) -> list[EngagementCounts] | None:
        """Of all mails there are, by what each settled week sums up to, which is remembered. None: ask as ever."""
        dropped, known = self._dropped, self._known()
        try:
            weeks = self._of_weeks(question, known.weeks, lines)
            besides = _decoder.decode_lines(lines(whole_besides(question, known.weeks)))
        except StoreDamaged:
            return None
        if not known.weeks or not self._still(known, dropped):
            return None
        self._remember(question, weeks)
        return _summed([*weeks.values(), *besides])

    def _of_weeks(
        self, question: EngagementQuestion, weeks: Sequence[Week], lines: Lines
    ) -> dict[str, EngagementCounts]:
        """What each of these weeks sums up to, by its content, as it is remembered or asked now."""
        keys = {week.content: (question.workspace, question.relays, week.content) for week in weeks}
        kept = {content: self._wholes[key] for content, key in keys.items() if key in self._wholes}
        unknown = [week for week in weeks if week.content not in kept]
        rows = _weeks.decode_lines(lines(whole_by_week(question, unknown))) if unknown else []
        return kept | {week.content: _NOTHING for week in unknown} | {row.content: row for row in rows}

    def _remember(self, question: EngagementQuestion, weeks: dict[str, EngagementCounts]) -> None:
        learnt = {(question.workspace, question.relays, content): row for content, row in weeks.items()}
        with self._learning:
            if not learnt.keys() <= self._wholes.keys():
                kept = {} if len(self._wholes) + len(learnt) > _REMEMBERED else self._wholes
                self._wholes = kept | learnt

    def _known(self) -> Known:
        """The settled weeks with their sums, which are made now where they are lacking."""
        found = self._look()
        if not found.is_complete:
            with self._learning:
                self._learn(found)
            found = self._look()
        return found.known

    def _learn(self, found: _Parts) -> None:
        self._look_anew()
        try:
            contents = self._look().contents
            for week in found.settled:
                if week.content not in contents:
                    self._sum(week.content, summed_by_day(week.content, week.part))
            blocks = blocks_of(found.settled)
            for block, weeks in blocks.items():
                if block not in contents:
                    self._sum(block, summed_block(block, weeks))
            self._forget_gone(contents - blocks.keys())
        except MailvaneError as error:  # the mails themselves are there to be read
            log.warning("sums by day of the mail log were not made: %s", error)
        finally:
            self._look_anew()

    def _sum(self, content: str, insert: Statement) -> None:
        self._engine.command(insert.sql + _ONE_BLOCK.format(content), insert.values)

    def _forget_gone(self, contents: frozenset[str]) -> None:
        """Drop the sums of parts that are gone. One that is no longer alone in its week may be so again."""
        there = self._engine.rows(
            "SELECT hash_of_all_files FROM system.parts WHERE active AND database = currentDatabase()"
            " AND table = {table:String}",
            {"table": _SOURCE},
        )
        if gone := contents - {str(content) for (content,) in there}:
            with self._sums_dropped():
                for content in gone:
                    self._engine.command(f"ALTER TABLE {DAYS} DROP PARTITION '{content}'")

    def forget(self) -> None:
        """Drop all sums: they are made anew when they are asked for."""
        with self._learning, self._sums_dropped():
            forget(self._engine)

    def look_anew(self) -> None:
        """At what is summed up: sums were perhaps dropped."""
        with self._learning:
            self._look_anew(dropped=1)

    @contextmanager
    def _sums_dropped(self) -> Generator[None]:
        """No answer counts that is found in the block, or was being looked for when it began."""
        with self._lock:
            self._dropping = True
        try:
            yield
        finally:
            with self._lock:
                self._dropping, self._contents = False, None
                self._dropped += 1

    def _look_anew(self, dropped: int = 0) -> None:
        with self._lock:
            self._contents = None
            self._dropped += dropped


class _Parts(NamedTuple):
    """Settled weeks, and the contents whose sums are there."""

    settled: list[Week]
    contents: frozenset[str]

    @property
    def is_complete(self) -> bool:
        """Nothing is lacking."""
        return {week.content for week in self.settled} | blocks_of(self.settled).keys() <= self.contents

    @property
    def known(self) -> Known:
        weeks = [week for week in self.settled if week.content in self.contents]
        blocks = blocks_of(self.settled)
        return Known(weeks, {block: blocks[block] for block in blocks if block in self.contents})

    def have(self, known: Known) -> bool:
        """Whether all of it is still so."""
        contents = {week.content for week in known.weeks} | known.blocks.keys()
        return set(known.weeks) <= set(self.settled) and contents <= self.contents


def _statement(question: EngagementQuestion, known: Known = NOTHING_KNOWN) -> Statement:
    return engagement_of(question, known) if question.recent is None else engagement_and_ever(question, known)


def _summed(rows: Sequence[EngagementCounts]) -> list[EngagementCounts]:
    """As a brief answer has it, of rows whose `tagged` is of any mail."""
    rows = [row for row in rows if row.sent]
    if not rows:
        return []
    told: dict[str, Any] = {name: int(any(getattr(row, name) for row in rows)) for name in HAPPENED}
    told |= {"tagged": int(told["tagged"] and told["replied"]), "first_at": min(row.first_at for row in rows)}
    told |= {name: sum(getattr(row, name) for row in rows) for name in ("sent", "bounced")}
    return [EngagementCounts(**told)]


def forget(engine: Engine) -> None:
    """Drop all sums. Who may ask meanwhile has to be told by `EngagementDays.look_anew`."""
    engine.command(f"TRUNCATE TABLE {DAYS} SYNC")
