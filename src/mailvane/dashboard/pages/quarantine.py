"""Mail that is held: each with who it says it is from and who sent it, to be let out or denied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.dashboard.pages.held_mail import HeldMail, held_mail
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.triage.service import Verdict
from mailvane.dashboard.triage.store import Act, Decision
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.inbound.model import Message, MessageStatus
from mailvane.inbound.questions import MessageQuestion

_ROWS = 50
_MOST = 100
_WORDS = {Act.ACCEPT: "let through", Act.REJECT: "denied"}


class Waiting(msgspec.Struct, frozen=True):
    """Decisions that may be taken back, made together."""

    due_at: int
    told: str  # will be …
    actor: str
    messages: Sequence[str]


def listed(services: DashboardServices, visit: Visit) -> Reply:
    workspace, stores = visit.workspace.id, services.inbound.stores
    drawn = services.changes.drawn(workspace, visit.now)
    decisions = services.triage.waiting(workspace)
    pending = {each.message: _WORDS[each.act] for each in decisions if not each.failure}
    question = MessageQuestion(workspace=workspace, statuses=(MessageStatus.QUARANTINED,))
    page = stores.pages.page(question, 0, _ROWS)
    values = {
        "section": "Inbound",
        "shown": _shown(services, visit, [one for one in page.messages if one.id not in pending]),
        "is_chosen": bool(visit.asked("item")),
        "held": page.messages,
        "total": page.total,
        "contacts": stores.contacts.by_id(workspace, sorted({one.contact for one in page.messages})),
        "counts": services.inbound.received.counts(workspace),
        "addresses": stores.domains.domains(workspace),
        "drawn": drawn,
        "pending": pending,
        "waiting": _waiting([each for each in decisions if not each.taken]),
        "failed": [each for each in decisions if each.failure],
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
    }
    return Html("quarantine.html", values)


def _shown(services: DashboardServices, visit: Visit, undecided: Sequence[Message]) -> HeldMail | None:
    """The one that somebody chose, else the first that is to be decided."""
    if item := visit.asked("item"):
        found = services.inbound.stores.messages.message(visit.workspace.id, item)
        return held_mail(services, visit, found) if found else None
    return held_mail(services, visit, undecided[0]) if undecided else None


def accept(services: DashboardServices, visit: Visit) -> Reply:
    return _decide(services, visit, Act.ACCEPT)


def reject(services: DashboardServices, visit: Visit) -> Reply:
    return _decide(services, visit, Act.REJECT)


def _decide(services: DashboardServices, visit: Visit, act: Act) -> Reply:
    verdict = Verdict(act, bool(visit.entered("remember")), visit.visitor.user.name)
    services.triage.decide(visit.workspace.id, _chosen(visit), verdict, visit.now)
    return Redirect(f"/ui/{visit.workspace.id}/inbound/quarantine")


def take_back(services: DashboardServices, visit: Visit) -> Reply:
    """For ten seconds. What was carried out meanwhile stays as it is, and the list shows it."""
    services.triage.take_back(visit.workspace.id, _chosen(visit))
    return Redirect(f"/ui/{visit.workspace.id}/inbound/quarantine")


def _chosen(visit: Visit) -> list[str]:
    ids = list(dict.fromkeys(visit.form.get("message", ())))
    if not 1 <= len(ids) <= _MOST:
        raise InvalidInput(f"choose 1 to {_MOST} mails")
    return ids


def _waiting(decisions: Sequence[Decision]) -> list[Waiting]:
    """Those that are alike, together."""

    def alike(one: Decision) -> tuple[int, str, str]:
        return one.due_at, one.act.value, one.actor

    return [
        Waiting(due_at, _WORDS[Act(act)], actor, [one.message for one in group])
        for (due_at, act, actor), group in groupby(sorted(decisions, key=alike), alike)
    ]


_LIST = "/{workspace:int}/inbound/quarantine"
PAGES = (
    Page("get", _LIST, listed),
    Page("post", f"{_LIST}/accept", accept, role=Role.OPERATOR),
    Page("post", f"{_LIST}/reject", reject, role=Role.OPERATOR),
    Page("post", f"{_LIST}/undo", take_back, role=Role.OPERATOR),
)
