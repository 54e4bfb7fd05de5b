"""Keeps what settled weeks of `engagement` sum up to by sender and day, each as a partition of `engagement_days`.

A sum is known by the hash of the part that it was made of, so it is right for as long as that part is there, whatever
else is inserted, rewritten or deleted. Sums are written in one block under that hash as token: twice is once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import msgspec

from mailvane.core.errors import MailvaneError, StoreDamaged
from mailvane.maillog.clickhouse.engagement import DAYS, engagement_of, summed_by_day
from mailvane.maillog.clickhouse.engine import Engine, Statement
from mailvane.maillog.clickhouse.merged_partitions import Week, settled_weeks
from mailvane.maillog.queries import EngagementCounts, EngagementQuestion

log = logging.getLogger(__name__)

_decoder = msgspec.json.Decoder(EngagementCounts)
_SOURCE = "engagement"
_ONE_BLOCK = (
    " SETTINGS max_insert_threads = 1, max_insert_block_size = 100000000, min_insert_block_size_rows = 100000000,"
    " min_insert_block_size_bytes = 100000000000, insert_deduplication_token = '{}'"
)
_ROUNDS = 3  # a week that changed while it was asked about is asked about again so often


class EngagementDays:
    """The sums of one server. Any number of threads may use one."""

    def __init__(self, engine: Engine, settles: bool, least_rows: int = 10_000) -> None:
        """Not settled: every mail is read for every question. Weeks of fewer rows are always read."""
        self._engine = engine
        self._settles = settles
        self._least_rows = least_rows
        self._learning = threading.Lock()

    def ask(self, question: EngagementQuestion, lines: Callable[[Statement], bytes]) -> list[EngagementCounts]:
        """The answer; `lines` asks the mail log, and gives a JSON document a line."""
        return _decoder.decode_lines(self._asked(question, lines))

    def _asked(self, question: EngagementQuestion, lines: Callable[[Statement], bytes]) -> bytes:
        for _ in range(_ROUNDS if self._settles else 0):
            known = self._known()
            if not known:
                break
            try:
                answer = lines(engagement_of(question, known))
            except StoreDamaged:
                log.warning("the sums by day of the mail log cannot be read: they are made anew")
                forget(self._engine)
                break
            if set(known) <= set(self._remembered(self._settled())):
                return answer
        return lines(engagement_of(question))

    def _settled(self) -> list[Week]:
        return settled_weeks(self._engine, _SOURCE, self._least_rows)

    def _known(self) -> list[Week]:
        """The settled weeks with their sums, which are made now where they are lacking."""
        settled = self._settled()
        known = self._remembered(settled)
        if len(known) < len(settled):
            with self._learning:
                self._learn(settled)
            known = self._remembered(settled)
        return known

    def _learn(self, settled: list[Week]) -> None:
        try:
            contents = _contents(self._engine)
            for week in settled:
                if week.content not in contents:
                    insert = summed_by_day(week.content, week.part)
                    self._engine.command(insert.sql + _ONE_BLOCK.format(week.content), insert.values)
            self._forget_gone(contents)
        except MailvaneError as error:  # the mails themselves are there to be read
            log.warning("sums by day of the mail log were not made: %s", error)

    def _forget_gone(self, contents: set[str]) -> None:
        """Drop the sums of parts that are gone. One that is no longer alone in its week may be so again."""
        there = self._engine.rows(
            "SELECT hash_of_all_files FROM system.parts WHERE active AND database = currentDatabase()"
            " AND table = {table:String}",
            {"table": _SOURCE},
        )
        for content in contents - {str(content) for (content,) in there}:
            self._engine.command(f"ALTER TABLE {DAYS} DROP PARTITION '{content}'")

    def _remembered(self, weeks: list[Week]) -> list[Week]:
        contents = _contents(self._engine)
        return [week for week in weeks if week.content in contents]


def forget(engine: Engine) -> None:
    """Drop all sums: they are made anew when they are asked for."""
    engine.command(f"TRUNCATE TABLE {DAYS} SYNC")


def _contents(engine: Engine) -> set[str]:
    """The parts of which the sums are known, by their hash: 32 hexadecimal digits."""
    rows = engine.rows(
        "SELECT DISTINCT partition FROM system.parts WHERE active AND rows > 0 AND database = currentDatabase()"
        " AND table = {table:String}",
        {"table": DAYS},
    )
    return {str(content).strip("'") for (content,) in rows}
