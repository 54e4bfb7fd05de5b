"""The demo's fourth part: an outreach team whose mail server sends its events to Mailvane's intake, over HTTP alone."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from threading import Event

import httpx

from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.model import Mailbox, MailboxRule, Warmup, mailbox_id
from mailvane.server.ledger import Ledger
from mailvane_demo.world.outreach import DOMAIN, TEAM, OutreachTeam

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5
_WAIT_SECONDS = 30.0
_AT_ONCE = 20_000  # events of a request
_LIVE_RUSH = 60.0  # a few mails an hour are dull to watch


def make_team(ledger: Ledger, workspace: int, now: int) -> None:
    """What a user would set up: whose senders become mailboxes, and one mailbox that is being warmed up."""
    ledger.mailboxes.save_rule(workspace, MailboxRule((DOMAIN,)))
    newest = TEAM[3]
    ledger.mailboxes.add(
        Mailbox(
            id=mailbox_id(workspace, newest.address), workspace=workspace, address=newest.address,
            display_name="Dagny of Bright Leads", daily_limit=newest.a_day * 2, tags=("new",),
            warmup=Warmup(start=5, step=3, target=50, started_at=now - 6 * DAY_MS), created_at=now, updated_at=now,
        )
    )  # fmt: skip


class SimulatedOutreach:
    """Plays the team's mail server. `run` is for a thread of its own, until `stop`."""

    def __init__(self, url: str, token: str, relay: int, seed: int, days: int) -> None:
        self._url = url
        self._token = token
        self._team = OutreachTeam(seed, relay)
        self._days = days
        self._stopped = Event()
        self._due: list[tuple[int, str, str]] = []

    def run(self, clock: Callable[[], int]) -> None:
        done = clock() // DAY_MS * DAY_MS - self._days * DAY_MS
        headers = {"X-API-KEY": self._token, "Content-Type": "application/x-ndjson"}
        with httpx.Client(base_url=self._url, headers=headers, timeout=_WAIT_SECONDS) as client:
            rush = 1.0
            while True:
                now = clock()
                self._expect(mail for mail in self._team.mails(done, now, rush))
                self._tell(client, now)
                done, rush = now, _LIVE_RUSH
                if self._stopped.wait(_PAUSE_SECONDS):
                    return

    def stop(self) -> None:
        """Safe from any thread."""
        self._stopped.set()

    def _expect(self, mails: Iterable[list[dict[str, object]]]) -> None:
        for mail in mails:
            for event in mail:
                heappush(self._due, (int(str(event["time"])), str(event["id"]), json.dumps(event)))
            if self._stopped.is_set():
                return

    def _tell(self, client: httpx.Client, now: int) -> None:
        """Everything that happened by now; what is refused because too much waits is told again later."""
        while self._due and self._due[0][0] <= now and not self._stopped.is_set():
            lines: list[tuple[int, str, str]] = []
            while self._due and self._due[0][0] <= now and len(lines) < _AT_ONCE:
                lines.append(heappop(self._due))
            try:
                answer = client.post("/mailvane/v1/events", content="\n".join(line for *_, line in lines).encode())
                answer.raise_for_status()
            except httpx.HTTPError as error:
                log.warning("the outreach team cannot reach the server: %s", error)
                for line in lines:
                    heappush(self._due, line)
                return


def guide(url: str, token: str, command: str) -> str:
    """What people may try, as the rest of the demo's welcome."""
    return f"""\
[bold]An outreach team writes to strangers:[/] people and machines open, click and answer; one mailbox has a stale list.

  {command} mailboxes
  {command} mailbox {TEAM[0].address}
  curl -s -H 'X-API-KEY: {token}' '{url}/v1/analytics/mailboxes'
"""
