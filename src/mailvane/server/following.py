"""Follows a Postfix log into the journal while the process runs, whatever happens to the log or the stores."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge

from mailvane.core.errors import MailvaneError, SourceMoved, Transient
from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.followed_logs import FollowedLog
from mailvane.maillog.model import ColumnBatch
from mailvane.maillog.postfix.following import Following
from mailvane.maillog.postfix.journald import JournalFollowing
from mailvane.maillog.postfix.plain.path import PlainPath
from mailvane.maillog.postfix.reading import LogReading, Origin, Step
from mailvane.maillog.reasons import load_reasons
from mailvane.maillog.settings import PostfixLog
from mailvane.server.bulk import reading_of
from mailvane.server.governance import governance_of, postfix_feedback
from mailvane.server.settings import Settings
from mailvane.server.stores import Stores

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
        self.at_end = Gauge(
            "mailvane_postfix_at_end_timestamp_seconds",
            "When the end of a followed log was reached last",
            ["log"],
            registry=registry,
        )
        self.behind = Gauge(
            "mailvane_postfix_behind_seconds",
            "For how long the end of a followed log was not reached; 0 while all of it is read",
            ["log"],
            registry=registry,
        )
        self.silent = Gauge(
            "mailvane_postfix_silent_seconds",
            "For how long nothing was written to a followed log; NaN when there is no file",
            ["log"],
            registry=registry,
        )
        self.failures = Counter(
            "mailvane_postfix_failures",
            "Times that following a log failed and was tried again",
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
        self.name = followed.name
        self.standing = FollowedLog(self.name, _clock(), followed.workspace, self._silent)
        self._followed = followed
        self._zone = followed.timezone or settings.timezone
        self._stores = stores
        self._tenancy = Tenancy(stores.ledger.tenants, "")
        self._feedback = postfix_feedback(settings.outbound, governance_of(settings.outbound, stores.ledger))
        self._metrics = metrics
        self._stop = stop
        self._newest = math.nan  # when lines were read last, in seconds

    def run(self) -> None:
        """Until it is stopped. Failures are logged and retried: mail goes on meanwhile."""
        self._metrics.failures.labels(self.name)  # shown before the first one
        self._metrics.behind.labels(self.name).set_function(lambda: self.standing.state(_clock()).behind_ms / 1000)
        self._metrics.silent.labels(self.name).set_function(self._silent)
        try:
            self._keep_following()
        finally:
            self.standing.stopped()

    def _keep_following(self) -> None:
        while not self._stop():
            try:
                self._follow()
            except SourceMoved:
                log.info("%s: another process has read on; going on from there", self.name)
            except MailvaneError as error:
                log.error("%s: %s", self.name, error)  # noqa: TRY400  the line says it all
                self._failed(error.message)
                self._pause(_AGAIN_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311
            except Exception as error:
                log.exception("%s: following failed", self.name)
                self._failed(f"{type(error).__name__}; the server's log says more")
                self._pause(_AGAIN_SECONDS)

    def _failed(self, error: str) -> None:
        self.standing.failed(_clock(), error)
        self._metrics.failures.labels(self.name).inc()

    def _follow(self) -> None:
        now = _clock()
        workspace = self._tenancy.ensure_workspace(self._followed.workspace, now)
        if self._followed.relay is None and not self._tenancy.active_relays(workspace.id):
            self._tenancy.create_relay(workspace.id, self.name, now)
        relay = self._tenancy.relay_of(workspace.id, self._followed.relay)
        self.standing.relay = relay.id
        ledger = self._stores.ledger
        origin = Origin(workspace.id, relay.id, workspace.retention_days, self._zone.key, relay.created_at)
        reading = reading_of(ledger.journal, origin)
        log.info("following %s into relay %d of workspace %s", self.name, origin.relay, self._followed.workspace)
        with PlainPath(self._stores.scratch, load_reasons()) as reading.plain:
            for step in self._steps(reading):
                self._record(step)
                missed = step.summary.not_understood.total()
                self._metrics.missed.labels(self.name).inc(missed)
                samples = [each for found in step.summary.samples.values() for each in found]
                self.standing.understood(_clock(), step.lines, missed, samples)
                if self._stop():
                    return

    def _steps(self, reading: LogReading) -> Iterator[Step]:
        followed = self._followed
        if followed.journal is None:
            return Following(reading, self.name, _clock).run(self._idle)
        reading.plain = None  # blocks of a pipe cannot be cut again as they were
        return JournalFollowing(reading, self.name, followed.journal, followed.journal_directory).run(
            _clock, self._idle
        )

    def _record(self, step: Step) -> None:
        while self._stores.ledger.journal.backlog() >= MOST_PENDING and not self._stop():
            time.sleep(_BACKLOG_SECONDS)
        while True:
            try:
                if self._feedback is not None:
                    self._feedback(step.entry.batch, _clock())
                # A log that lies far behind comes in columns: it need not pass through the journal.
                if isinstance(step.entry.batch, ColumnBatch) and step.entry.repeatable:
                    self._stores.recorder.store(step.entry, _clock())
                else:
                    self._stores.recorder.record(step.entry, _clock())
                break
            except SourceMoved:
                raise
            except Transient as error:
                log.warning("%s: %s; the lines are tried again", self.name, error)
                if self._pause(_AGAIN_SECONDS):
                    raise
        self._metrics.lines.labels(self.name).inc(step.lines)
        self._newest = _clock() / 1000
        self._metrics.newest.labels(self.name).set(self._newest)
        self.standing.read_on(_clock())

    def _silent(self) -> float:
        """In seconds."""
        path = self._followed.path
        try:
            written = self._newest if path is None else path.stat().st_mtime
        except OSError:
            return math.nan
        return max(0.0, time.time() - written)

    def _idle(self, seconds: float) -> bool:
        if seconds:  # all that there is was read
            now = _clock()
            self.standing.reached_end(now, there=self._followed.path is None or self._followed.path.exists())
            self._metrics.at_end.labels(self.name).set(now / 1000)
        return self._pause(seconds)

    def _pause(self, seconds: float) -> bool:
        """Wait, but not beyond the end; whether the end has come."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stop():
            time.sleep(min(left, 0.2))
        return self._stop()


def _clock() -> int:
    return time.time_ns() // 1_000_000
