"""`mailvane import postfix`: the Postfix log source, joined to the ledger and to whoever carries into the mail log."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from mailvane.core.errors import InvalidInput, SourceMoved, StoreUnavailable
from mailvane.core.setting_tables import time_zone
from mailvane.core.tenants.model import Relay, Workspace
from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.cli.program import ImportProgress, ImportRequest, ImportSummary
from mailvane.maillog.model import EventType
from mailvane.maillog.postfix.files import STDIN
from mailvane.maillog.postfix.following import Following
from mailvane.maillog.postfix.reading import LogReading, Origin, Step, Summary
from mailvane.server.governance import governance_of, postfix_feedback
from mailvane.server.import_worker import ShipperProcess, shipper_process
from mailvane.server.ledger import Ledger
from mailvane.server.ledgers import serving
from mailvane.server.settings import Settings

MOST_PENDING = 32  # batches: what is read ahead of the mail log waits in the ledger, so only its disk limits this
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 60.0
_RARELY = 200_000


class Importer:
    """One run of the command."""

    def __init__(self, settings: Settings, ledger: Ledger, tenancy: Tenancy, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._ledger = ledger
        self._tenancy = tenancy
        self._clock = clock
        self._feedback = postfix_feedback(settings.outbound, governance_of(settings.outbound, ledger))

    def run(self, request: ImportRequest, report: Callable[[ImportProgress], None]) -> ImportSummary:
        """Returns when everything that was read can be queried. Raises InvalidInput, SourceMoved, StoreUnavailable.

        A server that follows the same log may read on between two blocks: this goes on behind it, again and again. Each
        time one of the two has moved the cursor, so it ends.
        """
        began = time.monotonic()
        # Nearly all that reading makes lives until its block is stored: looking for garbage among it finds none.
        gc.set_threshold(_RARELY)
        workspace = self._tenancy.workspace(request.workspace)
        relay = self._tenancy.relay_of(workspace.id, request.relay)
        summary = Summary()
        with self._shipping() as shipper:
            while True:
                reading = self._reading(request, workspace, relay)
                try:
                    self._record(self._steps(request, reading), shipper, summary, report)
                    break
                except SourceMoved:
                    if STDIN in request.files:
                        raise  # it cannot be read again
                    time.sleep(random.uniform(0, _POLL_SECONDS))  # noqa: S311 - so that the two do not keep step
            summary.add(reading.take_summary())
            self._wait(1, shipper)
        return _summary(summary, request.samples, time.monotonic() - began)

    def _record(
        self,
        steps: Iterator[Step],
        shipper: ShipperProcess,
        summary: Summary,
        report: Callable[[ImportProgress], None],
    ) -> None:
        """Commit each step while the next is read: committing is compressing and syncing, which reading need not await.

        A step that cannot be committed ends this; what was read beyond it is forgotten and not counted.
        """
        with ThreadPoolExecutor(1, "commit") as committing:
            before: Future[Summary] | None = None
            for step in steps:
                if before is not None:
                    summary.add(before.result())
                self._wait(MOST_PENDING, shipper)
                before = committing.submit(self._commit, step, shipper)
                report(ImportProgress(Path(step.name).name, step.consumed, step.size, summary.lines + step.lines))
            if before is not None:
                summary.add(before.result())

    def _commit(self, step: Step, shipper: ShipperProcess) -> Summary:
        if self._feedback is not None:
            self._feedback(step.entry.batch, self._clock())
        self._ledger.journal.commit(step.entry, self._clock())
        shipper.poke()
        return step.summary

    def _reading(self, request: ImportRequest, workspace: Workspace, relay: Relay) -> LogReading:
        zone = time_zone(request.timezone) if request.timezone else self._settings.timezone
        origin = Origin(workspace.id, relay.id, workspace.retention_days, zone.key)
        reading = LogReading(
            origin, self._ledger.journal.cursors(origin.stream), self._ledger.journal.in_flight(origin.stream)
        )
        reading.year, reading.follows = request.year, request.follow
        return reading

    def _steps(self, request: ImportRequest, reading: LogReading) -> Iterator[Step]:
        yield from reading.read_all(request.files, self._clock())
        if not request.follow and reading.without_lines.issuperset(request.files):
            names = ", ".join("standard input" if name == STDIN else name for name in request.files)
            raise InvalidInput(f"{names}: empty: there is nothing to read")
        if request.follow:
            newest = reading.in_order(request.files, self._clock(), closely=False)[-1]
            with suppress(KeyboardInterrupt):
                yield from Following(reading, newest, self._clock).run(_pause)

    @contextmanager
    def _shipping(self) -> Iterator[ShipperProcess]:
        """Somebody carries: the server that runs, which looks by itself, or a process of our own."""
        if serving(self._settings):
            yield ShipperProcess(lambda: serving(self._settings) is not None, lambda: None)
        else:
            with shipper_process(self._settings, "mailvane import") as shipper:
                yield shipper

    def _wait(self, batches: int, shipper: ShipperProcess) -> None:
        """Until fewer batches are on their way, so that a fast reader does not run away from the mail log."""
        least, moved = self._ledger.journal.backlog(), time.monotonic()
        while (left := self._ledger.journal.backlog()) >= batches:
            if left < least:
                least, moved = left, time.monotonic()
            if time.monotonic() - moved > _PATIENCE_SECONDS or not shipper.is_running():
                raise StoreUnavailable("the mail log takes nothing in; what was read is safe and waits in the journal")
            time.sleep(_POLL_SECONDS)


def _summary(found: Summary, samples: int, seconds: float) -> ImportSummary:
    return ImportSummary(
        lines=found.lines,
        messages=found.events[EventType.ACCEPTED],
        deliveries=found.events[EventType.DELIVERED],
        deferrals=found.events[EventType.DEFERRED],
        bounces=found.events[EventType.BOUNCED],
        rejects=found.events[EventType.REJECTED],
        unfinished=found.unfinished,
        not_understood=dict(found.not_understood),
        samples={kind: examples[:samples] for kind, examples in found.samples.items()} if samples else {},
        seconds=seconds,
    )


def _pause(seconds: float) -> bool:
    time.sleep(seconds)
    return False
