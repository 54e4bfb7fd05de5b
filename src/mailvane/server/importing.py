"""`mailvane import postfix`: the Postfix log source, joined to the ledger and to whoever carries into the mail log."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from mailvane.core.errors import InvalidInput, SourceMoved
from mailvane.core.setting_tables import time_zone
from mailvane.core.tenants.model import Relay, Workspace
from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.cli.program import ImportProgress, ImportRequest, ImportSummary
from mailvane.maillog.model import EventType
from mailvane.maillog.postfix.files import STDIN
from mailvane.maillog.postfix.following import Following
from mailvane.maillog.postfix.reading import LogReading, Origin, Step
from mailvane.maillog.postfix.summary import Summary
from mailvane.server.bulk import WayIn, reading_of
from mailvane.server.governance import governance_of, postfix_feedback
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings

_POLL_SECONDS = 0.02
_RARELY = 200_000


class Importer:
    """One run of the command."""

    def __init__(self, settings: Settings, ledger: Ledger, tenancy: Tenancy, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._ledger = ledger
        self._tenancy = tenancy
        self._clock = clock
        self._feedback = postfix_feedback(settings.outbound, governance_of(settings.outbound, ledger))

    def run(self, request: ImportRequest, report: Callable[[ImportProgress], None], way: WayIn) -> ImportSummary:
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
        if request.follow or STDIN in request.files:
            way.expect_pauses()
        while True:
            with way.plain_path() as plain:
                reading = self._reading(request, workspace, relay)
                reading.plain = plain
                try:
                    self._record(self._steps(request, reading), way, summary, report)
                    break
                except SourceMoved:
                    if STDIN in request.files:
                        raise  # it cannot be read again
                    time.sleep(random.uniform(0, _POLL_SECONDS))  # noqa: S311 - so that the two do not keep step
        summary.add(reading.take_summary())
        # Reports and replies may have waited for this mail.
        self._ledger.unjoined.hasten(self._clock())
        self._ledger.tracking.hasten(self._clock())
        way.finish()
        return _summary(summary, request.samples, time.monotonic() - began)

    def _record(
        self,
        steps: Iterator[Step],
        way: WayIn,
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
                way.make_room()
                before = committing.submit(self._commit, step, way)
                report(ImportProgress(Path(step.name).name, step.consumed, step.size, summary.lines + step.lines))
            if before is not None:
                summary.add(before.result())

    def _commit(self, step: Step, way: WayIn) -> Summary:
        if self._feedback is not None:
            self._feedback(step.entry.batch, self._clock())
        way.take(step.entry, self._clock())
        return step.summary

    def _reading(self, request: ImportRequest, workspace: Workspace, relay: Relay) -> LogReading:
        zone = time_zone(request.timezone) if request.timezone else self._settings.timezone
        origin = Origin(workspace.id, relay.id, workspace.retention_days, zone.key, relay.created_at)
        reading = reading_of(self._ledger.journal, origin)
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
