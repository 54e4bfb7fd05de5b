"""The demo's second half: domains with limits, and a simulated sending account that lives beside the server.

The account asks before each mail, as any program would that sends; what its service tells comes back signed, by an
authority that only this demo trusts. Over HTTP alone: nothing here reaches into the server.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from heapq import heappop, heappush
from pathlib import Path
from threading import Event

import httpx

from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import SendRequest
from mailvane.outbound.settings import OutboundSettings
from mailvane.server.governance import governance_of
from mailvane.server.ledger import Ledger
from mailvane.server.settings import Settings
from mailvane_demo.world.certificate_authority import root, signer
from mailvane_demo.world.sending_account import NEWSLETTER, SHOP, SPAM_RUN, Mailing, SendingAccount
from mailvane_demo.world.sns_topic import SnsTopic

log = logging.getLogger(__name__)

_ACTOR = "demo"
_DAYS = 7
_MAILS_A_DAY = {SHOP.name: 480, NEWSLETTER.name: 360}
_LEFT_TODAY = 60  # so that a limit is met while somebody watches
_PAUSE_SECONDS = 0.25
_WAIT_SECONDS = 10.0


def signed_topic(place: Path, now: int) -> tuple[SnsTopic, OutboundSettings]:
    """A topic, and the settings of a server that believes it."""
    authority = root(now)
    topic = SnsTopic(signer=signer(now, authority, ["sns.amazonaws.com"]))
    roots, certificates = place / "demo-authority.pem", place / "demo-certificates"
    certificates.mkdir()
    roots.write_bytes(authority.pem)
    (certificates / topic.certificate).write_bytes(topic.signer.pem)
    return topic, OutboundSettings(
        sns_topics=(topic.arn,), sns_trusted_roots=str(roots), sns_certificates=str(certificates)
    )


def make_domains(settings: Settings, ledger: Ledger, workspace: int, now: int) -> None:
    """Three domains: one about to meet its daily limit, one whose limit is soft, and one that nobody knows yet."""
    governance = governance_of(settings.outbound, ledger)
    for name in (SHOP.name, NEWSLETTER.name, SPAM_RUN.name):
        governance.create(name, workspace, now)
    _send_in_the_past(governance, now)
    for name, enforcement in ((SHOP.name, "hard"), (NEWSLETTER.name, "soft")):
        limit = governance.usage_today(name, now).sent_today + _LEFT_TODAY
        changes = {"daily_limit": limit, "monthly_limit": 30 * limit, "enforcement": enforcement}
        governance.change(name, changes, _ACTOR, now)
    # The first bounce of the first mails should not stop it: a story needs a middle.
    governance.change(SPAM_RUN.name, {"guillotine": {"minimum_volume": 50}}, _ACTOR, now)


def _send_in_the_past(governance: Governance, now: int) -> None:
    start = (now // DAY_MS - _DAYS) * DAY_MS
    for hour in range(start + 6 * HOUR_MS, now, 3 * HOUR_MS):
        passages = [SendRequest(domain=name) for name, daily in _MAILS_A_DAY.items() for _ in range(daily // 8)]
        governance.decide(passages, hour)


class SimulatedSender:
    """Plays a sending account against a server. `run` is for a thread of its own, until `stop`."""

    def __init__(self, url: str, token: str, topic: SnsTopic, seed: int) -> None:
        self._url = url
        self._token = token
        self._topic = topic
        self._seed = seed
        self._stopped = Event()
        self._due: list[tuple[int, int, str]] = []
        self._order = 0

    def run(self, clock: Callable[[], int]) -> None:
        done = clock()
        account = SendingAccount(self._seed, done // 1000 * 1000)
        headers = {"Authorization": f"Bearer {self._token}"}
        with httpx.Client(base_url=self._url, headers=headers, timeout=_WAIT_SECONDS) as client:
            while not self._stopped.wait(_PAUSE_SECONDS):
                now = clock()
                try:
                    self._live(client, account, done, now)
                except httpx.HTTPError as error:
                    log.warning("the simulated sender cannot reach the server: %s", error)
                done = now

    def stop(self) -> None:
        """Safe from any thread."""
        self._stopped.set()

    def _live(self, client: httpx.Client, account: SendingAccount, since: int, until: int) -> None:
        for mailing in account.mailings(since, until):
            if self._stopped.is_set():
                return
            if self._may_pass(client, mailing):
                for at, text in account.told(mailing):
                    self._order += 1
                    heappush(self._due, (at, self._order, text))
        while self._due and self._due[0][0] <= until and not self._stopped.is_set():
            at, order, text = heappop(self._due)
            key = f"{self._seed} {at} {order}"
            client.post("/webhooks/ses", content=self._topic.notification(text, at, key))

    def _may_pass(self, client: httpx.Client, mailing: Mailing) -> bool:
        answer = client.post(f"/domains/{mailing.domain.name}/outbound/increment")
        return answer.is_success and bool(answer.json()["allowed"])


def guide(url: str, token: str) -> str:
    """What people may try, as the rest of the demo's welcome."""
    header = f"-H 'Authorization: Bearer {token}'"
    lines = "\n".join(f"  curl -s {header} {url}/domains/{name}/outbound" for name in (SHOP.name, SPAM_RUN.name))
    return (
        f"[bold]Outgoing mail is governed:[/] {SHOP.name} meets its daily limit within minutes, "
        f"{SPAM_RUN.name} is stopped by its bounces.\n\n{lines}\n"
    )
