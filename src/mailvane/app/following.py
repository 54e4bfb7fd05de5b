"""Follows a Postfix log into the journal while the process runs, whatever happens to the log or the stores."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from mailvane.app.governing import governance_of, postfix_feedback
from mailvane.app.stores import Stores
from mailvane.config import Settings
from mailvane.errors import MailvaneError, SourceMoved, Transient
from mailvane.postfix_config import PostfixLog
from mailvane.services.tenancy import Tenancy
from mailvane.sources.postfix_log.following import Following
from mailvane.sources.postfix_log.reading import LogReading, Origin, Step

log = logging.getLogger(__name__)

MOST_PENDING = 8  # batches that may wait for the mail log before reading pauses
_BACKLOG_SECONDS = 0.05
_AGAIN_SECONDS = 5.0


class FollowingMetrics:
    """How the followed logs are doing."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lines = Counter(
            "mailvane_postfix_lines", "Lines read from followed Postfix logs", ["log"], registry=registry
        )
        self.missed = Gauge(
            "mailvane_postfix_lines_not_understood",
            "Lines of followed Postfix logs not understood",
            ["log"],
            registry=registry,
        )
        self.newest = Gauge(
            "mailvane_postfix_last_read_timestamp_seconds",
            "When lines of a log were last read",
            ["log"],
            registry=registry,
        )


class Follower:
    """One configured log."""

    def __init__(
        self,
        settings: Settings,
        followed: PostfixLog,
        stores: Stores,
        metrics: FollowingMetrics,
        stop: Callable[[], bool],
    ) -> None:
        self.name = str(followed.path)
        self._followed = followed
        self._zone = followed.timezone or settings.timezone
        self._stores = stores
        self._tenancy = Tenancy(stores.ledger, "")
        self._feedback = postfix_feedback(settings.outbound, governance_of(settings.outbound, stores.ledger))
        self._metrics = metrics
        self._stop = stop

    def run(self) -> None:
        """Until told to stop. What goes wrong is said in the log and tried again: mail goes on meanwhile."""
        while not self._stop():
            try:
                self._follow()
            except SourceMoved:
                log.info("%s: another process has read on; going on from there", self.name)
            except MailvaneError as error:
                log.error("%s: %s", self.name, error)  # noqa: TRY400  the line says it all
                self._pause(_AGAIN_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311
            except Exception:
                log.exception("%s: following failed", self.name)
                self._pause(_AGAIN_SECONDS)

    def _follow(self) -> None:
        origin, ledger = self._origin(), self._stores.ledger
        reading = LogReading(origin, ledger.cursors(origin.stream), ledger.in_flight(origin.stream))
        log.info("following %s into relay %d of workspace %s", self.name, origin.relay, self._followed.workspace)
        for step in Following(reading, self.name, _clock).run(self._pause):
            self._record(step)
            self._metrics.missed.labels(self.name).inc(step.summary.not_understood.total())
            if self._stop():
                return

    def _record(self, step: Step) -> None:
        while self._stores.ledger.backlog() >= MOST_PENDING and not self._stop():
            time.sleep(_BACKLOG_SECONDS)
        while True:
            try:
                if self._feedback is not None:
                    self._feedback(step.entry.batch, _clock())
                self._stores.recorder.record(step.entry, _clock())
                break
            except SourceMoved:
                raise
            except Transient as error:
                log.warning("%s: %s; the lines are tried again", self.name, error)
                if self._pause(_AGAIN_SECONDS):
                    raise
        self._metrics.lines.labels(self.name).inc(step.lines)
        self._metrics.newest.labels(self.name).set(_clock() / 1000)

    def _origin(self) -> Origin:
        now = _clock()
        workspace = self._tenancy.ensure_workspace(self._followed.workspace, now)
        if self._followed.relay is None and not self._tenancy.active_relays(workspace.id):
            self._tenancy.create_relay(workspace.id, self.name, now)
        relay = self._tenancy.relay_of(workspace.id, self._followed.relay)
        return Origin(workspace.id, relay.id, workspace.retention_days, self._zone.key)

    def _pause(self, seconds: float) -> bool:
        """Wait, but not beyond the end; whether the end has come."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stop():
            time.sleep(min(left, 0.2))
        return self._stop()


def _clock() -> int:
    return time.time_ns() // 1_000_000
