"""What has changed in a workspace since a page of it was drawn. Told by versions, never by what the change was.

A version is opaque to whoever holds it. One that another process gave out, before a restart or on another node, is
taken for an old one: the page asks anew, and nothing is missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from secrets import token_hex
from threading import Lock

from mailvane.core.moments import DAY_MS
from mailvane.maillog.store.journal import JournalStore
from mailvane.outbound.store.domains import DomainStore
from mailvane.reputation.store.alert_log import AlertLogStore

TOPICS = ("log", "alerts", "domains")
_ALERTS_MS = 30 * DAY_MS  # as far as pages look for open ones
_AUDIT_ENTRIES = 200  # at most between two looks; those that were committed late are among them


class Changes:
    """Of all workspaces, for any number of threads. `stored` counts what this process put into the mail log."""

    def __init__(
        self,
        stored: Mapping[int, int],
        alert_log: AlertLogStore,
        domains: DomainStore,
        journal: JournalStore | None = None,
    ) -> None:
        """`journal`: of a mail log that other processes put mail into as well; then any of theirs is a change."""
        self._stored = stored
        self._alert_log = alert_log
        self._domains = domains
        self._journal = journal
        self._process = token_hex(4)
        self._lock = Lock()
        self._head: tuple[int, int] | None = None
        self._heads = 0
        self._alerts: dict[int, tuple[int, int, int]] = {}
        self._alerted: Counter[int] = Counter()
        self._audited: dict[int, int] | None = None
        self._changed_domains: Counter[int] = Counter()

    def look(self, workspaces: Collection[int], now: int) -> None:
        """Ask the ledger what is new in these. Blocking. Raises StoreUnavailable."""
        head = self._journal.head() if self._journal is not None else None
        alerts = self._alert_log.newest_of_each(workspaces, now - _ALERTS_MS)
        audited = self._domains.newest_audit(_AUDIT_ENTRIES)
        with self._lock:
            self._heads += head != self._head
            self._head = head
            for workspace in workspaces:
                newest = alerts.get(workspace, (0, 0, 0))
                self._alerted[workspace] += self._alerts.get(workspace) != newest
                self._alerts[workspace] = newest
            known = audited if self._audited is None else self._audited
            self._changed_domains.update(audited[number] for number in audited.keys() - known.keys())
            self._audited = audited

    def version(self, workspace: int) -> str:
        """Of what was known at the last look; the mail log's is always that of now."""
        log = self._stored.get(workspace, 0) + self._heads
        return f"{self._process}.{log}.{self._alerted[workspace]}.{self._changed_domains[workspace]}"

    def drawn(self, workspace: int, now: int) -> str:
        """The version to ask for before a page is drawn. Blocking. Raises StoreUnavailable."""
        self.look([workspace], now)
        return self.version(workspace)


def topics_of(old: str, new: str) -> Iterator[str]:
    """What differs between two versions of a workspace; all of it where they are of two processes."""
    before, after = old.split("."), new.split(".")
    is_known = len(before) == len(after) and before[0] == after[0]
    for number, topic in enumerate(TOPICS, 1):
        if not is_known or before[number] != after[number]:
            yield topic
