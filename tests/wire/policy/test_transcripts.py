"""Whole conversations with the policy service, over a socket and into a ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from mailvane.core.connections import ConnectionLimits
from mailvane.core.listening import Listen
from mailvane.outbound.admission.rules import GovernanceRules, rules_of
from mailvane.outbound.decisions import DecisionQueue
from mailvane.outbound.governance import Governance
from mailvane.outbound.holds import HoldKind, Holds
from mailvane.outbound.model import ProofBegun
from mailvane.outbound.policy.server import PolicyServer
from mailvane.outbound.settings import OutboundSettings
from mailvane.outbound.suppression import SuppressionReason, SuppressionRules
from mailvane.outbound.suppression_list import Said, SuppressionList
from mailvane.server.ledger import Ledger
from mailvane.server.outbound import policy_server
from tests.ledgers import fresh_ledger
from tests.tables import read_table

NOW = 1_790_000_000_000
TRANSCRIPTS = read_table(Path(__file__).parent / "transcripts.yaml")
SECONDS = 60.0


class Governed:
    """A ledger with domains, and the service in front of it."""

    def __init__(self, ledger: Ledger, server: PolicyServer) -> None:
        self.server = server
        self.governance = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())

    def sent_today(self, name: str) -> int:
        return self.governance.usage_today(name, NOW).sent_today

    async def talk(self, questions: list[dict[str, Any]]) -> list[str]:
        """Everything on one connection; the actions heard."""
        reader, writer = await asyncio.open_connection(*self.server.addresses[0])
        heard = []
        for told in questions:
            lines = [f"{name}={value}\n" for name, value in {"request": "smtpd_access_policy", **told}.items()]
            writer.write(("".join(lines) + "\n").encode())
            answer = (await reader.readuntil(b"\n\n")).decode()
            heard.append(answer.removeprefix("action=").removesuffix("\n\n"))
        writer.close()
        await writer.wait_closed()
        return heard


@asynccontextmanager
async def governed(
    place: Path, domains: dict[str, Any], rules: dict[str, Any], screened: dict[str, Any] | None = None
) -> AsyncIterator[Governed]:
    ledger = fresh_ledger(place / "ledger.sqlite")
    settings = msgspec.convert(rules, OutboundSettings)
    governance = Governance(ledger.domains, ledger.billing, ledger.tenants, rules_of(settings))
    for name, told in domains.items():
        governance.create(name, None, NOW)
        governance.change(
            name, {field: value for field, value in told.items() if field not in {"unverified", "claimed"}}, "test", NOW
        )
        if told.get("claimed"):
            governance.change(name, {"approved": False}, "test", NOW)
        if told.get("unverified"):
            governance.verification_started(name, ProofBegun(token="token"), "test", NOW)
    screen(ledger, governance, **(screened or {"suppressed": {}, "held": {}}))
    decision_queue = DecisionQueue(governance, lambda: NOW)
    await decision_queue.start()
    server = policy_server(
        settings,
        decision_queue,
        CollectorRegistry(),
        ConnectionLimits(total=64, per_peer=64),
    )
    await server.listen(Listen("127.0.0.1", 0))
    try:
        yield Governed(ledger, server)
    finally:
        await server.stop()
        await decision_queue.stop()
        ledger.close()


def screen(ledger: Ledger, governance: Governance, suppressed: dict[str, dict[str, str]], held: dict[str, str]) -> None:
    """Put recipients on the list of each domain's workspace, and domains and logins on hold."""
    for domain, listed in suppressed.items():
        workspace = governance.domain(domain).workspace
        for address, reason in listed.items():
            said = Said(reason=SuppressionReason(reason))
            SuppressionList(ledger.suppressions, SuppressionRules()).add(workspace, address, said, NOW)
    for kind, name in held.items():
        Holds(ledger.holds).hold(HoldKind(kind), name, "test", NOW)


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_the_conversation_goes_as_written(tmp_path: Path, name: str) -> None:
    told = TRANSCRIPTS[name]

    async def story() -> None:
        screened = {name: told.get(name, {}) for name in ("suppressed", "held")}
        async with governed(tmp_path, told["domains"], told.get("rules", {}), screened) as there:
            heard = await there.talk([turn["ask"] for turn in told["talk"]])
            assert heard == [turn["hear"] for turn in told["talk"]]
            assert {domain: there.sent_today(domain) for domain in told["sent"]} == told["sent"]

    asyncio.run(asyncio.wait_for(story(), SECONDS))


def test_of_sixty_four_connections_at_once_exactly_the_limit_passes(tmp_path: Path) -> None:
    async def story() -> None:
        async with governed(tmp_path, {"shop.example": {"daily_limit": 1000}}, {}) as there:
            asked = [
                [{"protocol_state": "RCPT", "sender": "a@shop.example", "instance": f"{one}.{n}"} for n in range(25)]
                for one in range(64)
            ]
            heard = await asyncio.gather(*(there.talk(questions) for questions in asked))
            actions = Counter(answer.partition(" ")[0] for answers in heard for answer in answers)
            assert actions == {"DUNNO": 1000, "DEFER": 600}
            assert there.sent_today("shop.example") == 1000

    asyncio.run(asyncio.wait_for(story(), SECONDS))


def test_a_question_repeated_on_another_connection_is_free(tmp_path: Path) -> None:
    question = {"protocol_state": "RCPT", "sender": "a@shop.example", "instance": "9"}

    async def story() -> None:
        async with governed(tmp_path, {"shop.example": {"daily_limit": 1}}, {}) as there:
            heard = await asyncio.gather(*(there.talk([question]) for _ in range(20)))
            assert heard == [["DUNNO"]] * 20
            assert there.sent_today("shop.example") == 1

    asyncio.run(asyncio.wait_for(story(), SECONDS))
