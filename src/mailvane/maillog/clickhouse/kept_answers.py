"""What the mail log keeps of answers, and which of it each write puts an end to."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

from mailvane.maillog.clickhouse.buckets import Bucket
from mailvane.maillog.clickhouse.engine import Engine
from mailvane.maillog.clickhouse.merged_partitions import TELLING, Remembered, SettledWeeks, may_settle, touched_by
from mailvane.maillog.clickhouse.rows import REACTIVE
from mailvane.maillog.clickhouse.since_written import Bounds, SinceWritten
from mailvane.maillog.model import ColumnBatch, EventBatch, rows_of

# Rows whose time to be kept is over are counted for so many seconds more.
_MANY = 1 << 60
_LEAST_MAILS = 10_000  # of a week, to sum them up by sender: fewer are read for every question
_HOURS_OF_WEEKS = 500  # are remembered, of 168 counts each
_BUCKETS = Bounds(of_workspace=8, workspaces=50, seconds=60.0)


class Sizes:
    """About how many rows a workspace has: as many as were counted once, and what was added since."""

    def __init__(self, remembers: bool) -> None:
        """One that does not remember takes every workspace for a large one."""
        self._remembers = remembers
        self._rows: dict[int, int] = {}

    def ask(self, workspace: int, count: Callable[[], int]) -> int:
        if not self._remembers:
            return _MANY
        if workspace not in self._rows:
            self._rows[workspace] = count()
        return self._rows[workspace]

    def add(self, workspace: int, rows: int) -> None:
        if workspace in self._rows:
            self._rows[workspace] += rows


class KeptAnswers:
    """Of one server. Any number of threads may use them."""

    def __init__(self, engine: Engine) -> None:
        self.settles = may_settle(engine)
        self.weeks = SettledWeeks(engine, self.settles)
        self.weeks_of_mails = SettledWeeks(engine, self.settles, "mails")
        self.weeks_of_engagement = SettledWeeks(engine, self.settles, "engagement", least=_LEAST_MAILS)
        self.in_weeks = Remembered()
        self.accepted = Remembered(_HOURS_OF_WEEKS)
        # Of a server it is not known what others write.
        self.sizes = Sizes(engine.embedded)
        self.waiting = SinceWritten[int](engine.embedded)
        self.reacted = SinceWritten[int](engine.embedded)
        self.buckets = SinceWritten[list[Bucket]](engine.embedded, _BUCKETS)

    @contextmanager
    def appending(self, batch: EventBatch, doubtful: bool) -> Generator[None]:
        """What was asked before this batch was written, or while it is, is to be asked anew."""
        touched = touched_by(batch, doubtful)
        self.sizes.add(batch.workspace, rows_of(batch))
        with ExitStack() as writing:
            writing.enter_context(self.weeks.writing(touched))
            writing.enter_context(self.weeks_of_mails.writing(touched))
            writing.enter_context(self.weeks_of_engagement.writing(touched_by(batch, doubtful, TELLING)))
            writing.enter_context(self.buckets.writing(batch.workspace))
            if isinstance(batch, ColumnBatch) or any(event.waiting for event in batch.events):
                writing.enter_context(self.waiting.writing(batch.workspace))
            if any(event.type in REACTIVE for event in batch.events):
                writing.enter_context(self.reacted.writing(batch.workspace))
            yield

    @contextmanager
    def rewriting(self) -> Generator[None]:
        """Anything may be made anew."""
        with ExitStack() as writing:
            for weeks in (self.weeks, self.weeks_of_mails, self.weeks_of_engagement):
                writing.enter_context(weeks.writing(None))
            for answers in (self.waiting, self.reacted, self.buckets):
                writing.enter_context(answers.writing(None))
            yield
