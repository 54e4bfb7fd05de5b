"""Making and removing a domain: what is kept of one that was removed, and who may remove it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mailvane.domain.outbound import AuditEntry, Domain, Guillotine, OutboundStatus, Usage, Verification
from mailvane.errors import AlreadyExists, NotAllowed, NotFound
from mailvane.services.domain_claims import made, removed
from mailvane.storage.domains import HeldDomain, Revision

NOW = 1_790_000_000_000
DOMAIN = Domain(id=7, workspace=1, name="a.example", created_at=NOW)
NEW = msgspec.structs.replace(DOMAIN, id=0, workspace=2, created_at=NOW + 9)


def note(domain: Domain, action: str, evidence: dict[str, object]) -> AuditEntry:
    text = msgspec.json.encode(evidence).decode()
    return AuditEntry(domain=domain.name, workspace=domain.workspace, at=NOW, action=action, actor="x", evidence=text)


def held(sent: int = 0, **fields: Any) -> HeldDomain:
    usage = Usage(day=9, hour=220, month=3, sent_today=sent, sent_month=sent)
    return HeldDomain(domain=msgspec.structs.replace(DOMAIN, **fields), usage=usage)


def remove(one: HeldDomain, *, stopped_too: bool = True) -> Revision:
    return removed([one], NOW, note, stopped_too=stopped_too)


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
            removed(before, NOW, note, stopped_too=True)
