"""Making and removing a domain: what is kept of one that was removed, and who may remove it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from mailvane.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mailvane.outbound.domain_claims import altered, approved, made, proven, removed
from mailvane.outbound.model import (
    AuditEntry,
    Domain,
    Guillotine,
    HeldDomain,
    OutboundStatus,
    Revision,
    Usage,
    Verification,
)

NOW = 1_790_000_000_000
DOMAIN = Domain(id=7, workspace=1, name="a.example", created_at=NOW)
NEW = msgspec.structs.replace(DOMAIN, id=0, workspace=2, created_at=NOW + 9)


def note(domain: Domain, action: str, evidence: Mapping[str, object]) -> AuditEntry:
    text = msgspec.json.encode(evidence).decode()
    return AuditEntry(domain=domain.name, workspace=domain.workspace, at=NOW, action=action, actor="x", evidence=text)


def held(sent: int = 0, **fields: Any) -> HeldDomain:
    usage = Usage(day=9, hour=220, month=3, sent_today=sent, sent_month=sent)
    return HeldDomain(domain=msgspec.structs.replace(DOMAIN, **fields), usage=usage)


def remove(one: HeldDomain, *, stopped_too: bool = True) -> Revision:
    return removed([one], 1, NOW, note, stopped_too=stopped_too)


def actions(revision: Revision) -> list[tuple[str, int]]:
    return [(entry.action, entry.workspace) for entry in revision.entries]


def test_a_new_name_is_a_new_domain() -> None:
    revision = made([], NEW, note)
    assert (revision.kept, actions(revision)) == ((HeldDomain(domain=NEW),), [("created", 2)])


def test_a_domain_that_is_there_is_not_made_again() -> None:
    with pytest.raises(AlreadyExists):
        made([held()], NEW, note)


def test_one_that_was_removed_goes_on_with_all_that_it_had_in_its_new_workspace() -> None:
    gone = held(5, daily_limit=3, status=OutboundStatus.SUSPENDED, removed_at=NOW - 1)
    revision = made([gone], NEW, note)
    (again,) = revision.kept
    assert again.domain == msgspec.structs.replace(gone.domain, removed_at=None, workspace=2)
    assert again.usage == gone.usage
    assert actions(revision) == [("created", 2)]


def test_of_one_that_nobody_used_or_set_nothing_is_kept() -> None:
    revision = remove(held())
    assert (revision.kept, revision.dropped, actions(revision)) == ((), (7,), [("removed", 1)])


@pytest.mark.parametrize(
    "fields",
    [
        {"sent": 1},
        {"daily_limit": 1},
        {"monthly_limit": 1},
        {"status": OutboundStatus.SUSPENDED},
        {"closed": True},
        {"verification": Verification.PENDING, "verification_token": "t"},
        {"guillotine": Guillotine(bounce_percent=1.0)},
    ],
    ids=str,
)
def test_of_any_other_everything_is_kept(fields: dict[str, Any]) -> None:
    before = held(**fields)
    revision = remove(before)
    assert revision.dropped == ()
    assert revision.kept[0].usage == before.usage
    assert revision.kept[0].domain == msgspec.structs.replace(before.domain, removed_at=NOW)


@pytest.mark.parametrize("fields", [{"status": OutboundStatus.SUSPENDED}, {"closed": True}], ids=str)
def test_a_stopped_one_is_removed_only_by_whom_that_is_given_to(fields: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed):
        remove(held(**fields), stopped_too=False)
    assert actions(remove(held(**fields))) == [("removed", 1)]


def test_what_is_gone_is_not_removed_again() -> None:
    for before in ([], [held(1, removed_at=NOW)]):
        with pytest.raises(NotFound):
            removed(before, 1, NOW, note, stopped_too=True)


# -- claims

CLAIM = held(2, approved=False)
RIVAL = held(9, id=8, workspace=2, approved=False)
GONE = held(4, id=6, workspace=3, removed_at=NOW - 1, daily_limit=5)
HAD = held(4, id=6, workspace=3)


def of_rival(**fields: Any) -> Domain:
    return msgspec.structs.replace(RIVAL.domain, **fields)


def test_a_claim_may_be_made_beside_claims_of_others_and_not_beside_an_approved_domain() -> None:
    new = msgspec.structs.replace(NEW, workspace=5, approved=False)
    revision = made([CLAIM, RIVAL], new, note)
    assert (revision.kept[0].domain, revision.dropped) == (new, ())
    with pytest.raises(AlreadyExists):
        made([CLAIM, HAD], new, note)


def test_an_approved_domain_is_made_and_claims_give_way() -> None:
    revision = made([CLAIM, GONE], NEW, note)
    assert (revision.kept[0].domain.id, revision.kept[0].domain.workspace, revision.dropped) == (6, 2, (7,))
    assert actions(revision) == [("created", 2), ("displaced", 1)]


def test_a_claim_beside_a_removed_domain_takes_its_rules_and_counters_and_nothing_to_pay() -> None:
    pending = held(4, id=6, workspace=3, removed_at=NOW - 1, verification=Verification.PENDING, dkim_tokens=("k",))
    (again,) = made([pending], msgspec.structs.replace(NEW, approved=False), note).kept
    assert (again.domain.id, again.domain.workspace, again.domain.approved) == (0, 2, False)
    assert (again.domain.verification, again.domain.dkim_tokens) == (Verification.PENDING, ())
    assert (again.usage.sent_month, again.usage.unbilled_sent) == (4, -4)


def test_one_claim_is_approved_and_of_several_the_one_that_is_named() -> None:
    assert approved([CLAIM], None, note).kept[0].domain.approved
    with pytest.raises(InvalidInput):
        approved([CLAIM, RIVAL], None, note)
    revision = approved([CLAIM, RIVAL], 2, note)
    assert (revision.kept[0].domain, revision.dropped) == (of_rival(approved=True), (7,))
    assert actions(revision) == [("approved", 2), ("displaced", 1)]
    assert approved([HAD, RIVAL], None, note) == Revision(kept=(HAD,)), "one has it already"
    with pytest.raises(AlreadyExists):
        approved([HAD, RIVAL], 2, note)
    with pytest.raises(NotFound):
        approved([CLAIM], 2, note)


def test_one_that_goes_to_another_workspace_is_approved_and_takes_the_place_of_its_claim() -> None:
    entry = note(CLAIM.domain, "moved", {})
    revision = altered([CLAIM, RIVAL], 1, {"workspace": 2}, note, entry)
    assert (revision.kept[0].domain.workspace, revision.kept[0].domain.approved, revision.dropped) == (2, True, (8,))
    withdrawn = altered([HAD], 3, {"approved": False}, note, entry)
    assert not withdrawn.kept[0].domain.approved


def proof_of(*held: HeldDomain) -> Domain:
    return proven(held, 2, note).kept[0].domain


def test_a_proof_approves_only_what_it_tells_apart() -> None:
    own = of_rival(own_proof=True, verification_token="t", verification=Verification.PENDING)
    mine = HeldDomain(domain=own, usage=RIVAL.usage)
    assert proof_of(mine, CLAIM) == msgspec.structs.replace(own, approved=True, verification=Verification.VERIFIED)
    same = held(2, approved=False, verification_token="t")
    for others in ([same], [HAD]):
        assert proof_of(mine, *others) == msgspec.structs.replace(own, verification=Verification.VERIFIED)
    assert not proof_of(RIVAL).approved
    assert proof_of(mine, GONE).approved
