"""A domain that a tenant claims holds for itself only until it is approved or proven; of SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from mailvane.core.errors import AlreadyExists, InvalidInput, NotFound
from mailvane.core.ledger.migration import MIGRATIONS
from mailvane.core.moments import DAY_MS
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import Feedback, OutboundStatus, ProofBegun, Reason, SendRequest, Verdict, Verification
from mailvane.server.ledger import Ledger, open_ledger
from tests.contract.deciding import NOW

NAME = "gmail.com"


@pytest.fixture
def governance(ledger: Ledger) -> Governance:
    return Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())


@pytest.fixture
def squatter(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("squatter", NOW).id


@pytest.fixture
def owner(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("owner", NOW).id


def claim(governance: Governance, workspace: int, now: int = NOW) -> None:
    governance.create(NAME, workspace, now, actor="key 1", approved=False)


def door(governance: Governance, number: int = 1, now: int = NOW) -> list[Verdict]:
    return governance.decide([SendRequest(domain=NAME, mail_server=True)] * number, now)


def increments(governance: Governance, workspace: int | None, number: int = 1) -> list[Verdict]:
    return governance.decide([SendRequest(domain=NAME, workspace=workspace)] * number, NOW)


def begin(governance: Governance, workspace: int, token: str, *, own: bool = True) -> None:
    governance.verification_started(NAME, ProofBegun(token=token, own=own), "key 1", NOW, workspace)


def bills(governance: Governance) -> dict[tuple[str | None, str], int]:
    return {(each.partner, each.name): each.sent_month for each in governance.reset_monthly(NOW).domains}


def actions(governance: Governance, workspace: int | None = None) -> list[str]:
    return [each.action for each in reversed(governance.audit(NAME, 99, workspace))]


def test_a_claim_holds_for_its_own_workspace_only(governance: Governance, squatter: int) -> None:
    claim(governance, squatter)
    governance.change(NAME, {"status": "suspended"}, "key 1", NOW, squatter)
    assert door(governance) == [Verdict(domain=NAME, allowed=True, known=False)]
    assert not governance.feedback(NAME, Feedback(bounces=5, complaints=5, message_id="m1"), NOW)
    with pytest.raises(NotFound):
        governance.governed(NAME)
    governance.change(NAME, {"status": "active"}, "m", NOW)
    assert [each.sent_today for each in increments(governance, squatter, 2)] == [1, 2]
    assert increments(governance, None)[0].sent_today == 3
    assert bills(governance) == {("squatter", NAME): 3}


def test_approved_it_holds_for_everybody(governance: Governance, owner: int) -> None:
    claim(governance, owner)
    increments(governance, owner)
    assert governance.approve(NAME, "master", NOW).approved
    assert door(governance)[0].sent_today == 2
    assert governance.feedback(NAME, Feedback(bounces=1, message_id="m1"), NOW)
    assert governance.approve(NAME, "master", NOW).approved
    assert actions(governance)[:2] == ["created", "approved"]
    governance.change(NAME, {"approved": False}, "master", NOW)
    assert not door(governance)[0].known
    assert actions(governance)[-1] == "approval_withdrawn"


def test_several_may_claim_a_name_and_each_counts_apart(governance: Governance, squatter: int, owner: int) -> None:
    claim(governance, squatter)
    claim(governance, owner)
    with pytest.raises(AlreadyExists):
        claim(governance, owner)
    increments(governance, squatter, 3)
    assert increments(governance, owner)[0].sent_today == 1
    assert governance.usage_today(NAME, NOW, squatter).sent_today == 3
    governance.remove(NAME, "key 1", NOW, workspace=squatter)
    assert governance.domain(NAME).workspace == owner
    with pytest.raises(NotFound):
        governance.domain(NAME, squatter)
    assert bills(governance) == {("squatter", NAME): 3, ("owner", NAME): 1}


def test_a_claim_that_is_stopped_stops_no_other(governance: Governance, squatter: int, owner: int) -> None:
    claim(governance, squatter)
    assert increments(governance, None)[0].sent_today == 1
    governance.change(NAME, {"status": "suspended"}, "key 1", NOW, squatter)
    assert not increments(governance, None)[0].allowed
    claim(governance, owner)
    assert increments(governance, None)[0].allowed
    assert governance.usage_today(NAME, NOW, owner).sent_today == 1
    assert governance.domain(NAME).workspace == owner


def test_the_one_that_is_approved_displaces_the_others(governance: Governance, squatter: int, owner: int) -> None:
    claim(governance, squatter)
    claim(governance, owner)
    increments(governance, squatter, 3)
    with pytest.raises(InvalidInput, match="2 workspaces claim"):
        governance.approve(NAME, "master", NOW)
    assert governance.approve(NAME, "key 9", NOW, owner).workspace == owner
    assert [each.workspace for each in governance.domains(removed=True)] == [owner]
    assert not increments(governance, squatter)[0].known
    assert actions(governance, squatter) == ["created", "displaced"]
    assert governance.audit(NAME, 1, squatter)[0].actor == "server"
    with pytest.raises(AlreadyExists):
        claim(governance, squatter)
    assert bills(governance) == {("squatter", NAME): 3, ("owner", NAME): 0}


def test_the_master_makes_what_a_tenant_claims(governance: Governance, squatter: int, owner: int) -> None:
    claim(governance, squatter)
    assert governance.create(NAME, owner, NOW).approved
    assert [each.workspace for each in governance.domains()] == [owner]
    assert actions(governance) == ["created", "created", "displaced"]


def test_a_proof_takes_an_unproven_claim_over(governance: Governance, squatter: int, owner: int) -> None:
    claim(governance, squatter)
    begin(governance, squatter, "token of the squatter")
    claim(governance, owner)
    begin(governance, owner, "token of the owner")
    assert governance.verified(NAME, "key 2", NOW, owner).approved
    assert [each.workspace for each in governance.domains(removed=True)] == [owner]
    assert door(governance)[0].known
    assert actions(governance, owner) == ["created", "verification_started", "verified", "approved"]
    assert actions(governance, squatter) == ["created", "verification_started", "displaced"]


def test_records_that_somebody_else_published_prove_nothing(governance: Governance, squatter: int) -> None:
    claim(governance, squatter)
    begin(governance, squatter, "of the account", own=False)
    found = governance.verified(NAME, "key 1", NOW, squatter)
    assert (found.verification, found.approved) == (Verification.VERIFIED, False)
    assert governance.verified(NAME, "key 1", NOW, squatter) == found
    assert not door(governance)[0].known
    assert actions(governance) == ["created", "verification_started", "verified"]


def test_a_proof_that_was_begun_twice_is_still_ones_own(governance: Governance, owner: int) -> None:
    claim(governance, owner)
    begin(governance, owner, "t")
    begin(governance, owner, "t", own=False)
    assert governance.verified(NAME, "key 1", NOW, owner).approved


def test_the_same_records_do_not_tell_two_claims_apart(governance: Governance, squatter: int, owner: int) -> None:
    for workspace in (squatter, owner):
        claim(governance, workspace)
        begin(governance, workspace, "of the account")
    assert not governance.verified(NAME, "key 1", NOW, squatter).approved
    assert not governance.verified(NAME, "key 2", NOW, owner).approved
    governance.remove(NAME, "key 1", NOW, workspace=squatter)
    assert governance.verified(NAME, "key 2", NOW, owner).approved


def test_what_is_approved_is_not_taken_over_by_a_proof(governance: Governance, squatter: int, owner: int) -> None:
    governance.create(NAME, owner, NOW)
    door(governance)
    governance.remove(NAME, "key 2", NOW)
    claim(governance, squatter)
    begin(governance, squatter, "t")
    claim(governance, owner)
    assert governance.domain(NAME) == governance.governed(NAME) == governance.domain(NAME, owner)
    assert not governance.verified(NAME, "key 1", NOW, squatter).approved
    with pytest.raises(AlreadyExists):
        governance.approve(NAME, "master", NOW, squatter)
    assert door(governance)[0].sent_today == 2


def test_a_claim_beside_a_removed_domain_is_ruled_as_that_was(
    governance: Governance, squatter: int, owner: int
) -> None:
    governance.create(NAME, owner, NOW)
    governance.change(NAME, {"daily_limit": 4}, "m", NOW)
    door(governance, 3)
    governance.remove(NAME, "key 2", NOW)
    claim(governance, squatter)
    assert [each.reason for each in increments(governance, squatter, 2)] == [None, Reason.DAILY]
    assert [each.reason for each in door(governance, 2)] == [None, Reason.DAILY], "the removed one still answers"
    governance.feedback(NAME, Feedback(bounces=4, message_id="m1"), NOW)
    assert governance.approve(NAME, "master", NOW).status is OutboundStatus.SUSPENDED, "as it was stopped meanwhile"
    assert [each.workspace for each in governance.domains(removed=True)] == [squatter]
    assert bills(governance) == {("owner", NAME): 4, ("squatter", NAME): 1}


def test_made_anew_by_whom_it_was_it_is_approved_as_before(governance: Governance, owner: int) -> None:
    claim(governance, owner)
    governance.approve(NAME, "master", NOW)
    door(governance)
    governance.remove(NAME, "key 2", NOW)
    claim(governance, owner)
    assert door(governance)[0].sent_today == 2


def test_a_claim_that_was_left_does_not_spoil_the_name(governance: Governance, squatter: int, owner: int) -> None:
    claim(governance, squatter)
    begin(governance, squatter, "t")
    increments(governance, squatter, 9)
    governance.remove(NAME, "key 1", NOW, workspace=squatter)
    claim(governance, owner)
    fresh = governance.domain(NAME, owner)
    assert (fresh.verification, fresh.dkim_tokens) == (Verification.NONE, ())
    assert governance.usage_today(NAME, NOW, owner).sent_today == 0


def test_a_claim_with_limits_is_not_left_for_another_partner(governance: Governance, squatter: int, owner: int) -> None:
    claim(governance, squatter)
    governance.change(NAME, {"monthly_limit": 2}, "m", NOW)
    increments(governance, squatter, 2)
    governance.remove(NAME, "key 1", NOW, workspace=squatter)
    claim(governance, owner)
    assert increments(governance, owner)[0].reason is Reason.MONTHLY
    assert bills(governance) == {("squatter", NAME): 2, ("owner", NAME): 0}


def test_what_is_given_to_another_workspace_is_approved_there(
    governance: Governance, squatter: int, owner: int
) -> None:
    claim(governance, squatter)
    claim(governance, owner)
    given = governance.change(NAME, {"workspace": owner}, "m", NOW, squatter)
    assert (given.workspace, given.approved) == (owner, True)
    assert [each.id for each in governance.domains()] == [given.id]


def test_of_approvals_at_once_one_is_made(governance: Governance, ledger: Ledger) -> None:
    workspaces = [ledger.tenants.add_workspace(f"w{number}", NOW).id for number in range(6)]

    def take(workspace: int) -> bool:
        try:
            claim(governance, workspace)
            governance.approve(NAME, "master", NOW, workspace)
        except (AlreadyExists, NotFound):
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(take, workspaces)) == 1
    assert len(governance.domains()) == 1
    assert door(governance)[0].known


def upgraded_to(url: str, revision: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.execute(text("INSERT INTO workspaces VALUES (1, 'acme', 1, 0)"))
        names = "workspace, name, created_at, tier, status, enforcement, daily_limit, monthly_limit, hourly_fraction"
        more = "warmup_profile, spike_max_multiplier, counting, verification, verification_token, dkim_tokens, closed"
        counted = "day, hour, month, sent_today, sent_this_hour, sent_month, bounces, complaints, first_day, last_days"
        unbilled = "unbilled_sent, unbilled_bounces, unbilled_complaints"
        for name in ("one.example", "two.example", "gone.example"):
            connection.execute(
                text(
                    f"INSERT INTO domains ({names}, {more}, {counted}, {unbilled}) VALUES (1, :name, 1, 'shared', "
                    "'active', 'hard', 7, 0, 0.125, 'off', 0, 'messages', 'none', '', '[]', false, "
                    "1, 24, 23640, 3, 3, 3, 0, 0, 1, '[]', 0, 0, 0)"
                ),
                {"name": name},
            )
        connection.execute(text("DELETE FROM domains WHERE name = 'gone.example'"))
    engine.dispose()


def test_the_domains_of_an_older_ledger_are_approved(ledger_url: str) -> None:
    upgraded_to(ledger_url, "0004")
    ledger = open_ledger(ledger_url)
    governance = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())
    found = governance.domain("one.example")
    assert (found.id, found.approved, found.own_proof, found.removed_at) == (1, True, False, None)
    assert (found.daily_limit, found.hourly_fraction, found.closed) == (7, 0.125, False)
    assert governance.usage_today("two.example", DAY_MS).sent_today == 3
    assert governance.create("new.example", 1, NOW).id == 4, "an id is not given out twice"
    ledger.close()
