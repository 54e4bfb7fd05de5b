"""Domains that look like ours: since when, by whom, whether they can take mail; what people make of them."""

from __future__ import annotations

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind
from mailvane.reputation.questions import ObservationQuestion

STATES = ("UNCLASSIFIED", "THREAT", "IGNORED")
_ROWS = 100


class Row(msgspec.Struct, frozen=True):
    brand: str
    one: Observation
    state: str


def listed(services: DashboardServices, visit: Visit) -> Reply:
    brands = {asset.name: asset for asset in _brands(services, visit)}
    chosen = visit.asked("brand")
    number = visit.page_number()
    names = [chosen] if chosen in brands else sorted(brands)
    question = ObservationQuestion(
        workspace=visit.workspace.id, kind=ObservationKind.LOOKALIKE, newest_only=True, assets=names,
        not_true=("gone",),
    )  # fmt: skip
    found = services.reputation.observed.observation_page(question, (number - 1) * _ROWS, _ROWS)
    rows = [Row(one.asset, one, _state(brands[one.asset], one.key)) for one in found.observations]
    values = {
        "section": "Reputation",
        "tab": "Lookalikes",
        "rows": rows,
        "total": found.total,
        "brands": list(brands.values()),
        "chosen": chosen if chosen in brands else "",
        "states": STATES,
        "newer": visit.with_query(page=str(number - 1)) if number > 1 else "",
        "older": visit.with_query(page=str(number + 1)) if number * _ROWS < found.total else "",
        "may_change": visit.visitor.may(visit.workspace.id, Role.OPERATOR),
    }
    return Html("lookalikes.html", values)


def classify(services: DashboardServices, visit: Visit) -> Reply:
    """Alerts and the board leave ignored ones out."""
    state, name = visit.entered("state"), visit.entered("lookalike")
    brand = next((each for each in _brands(services, visit) if each.name == visit.entered("brand")), None)
    if brand is None:
        raise NotFound("there is no such brand")
    if state not in STATES:
        raise InvalidInput(f"state: expected one of {', '.join(STATES)}")
    if not services.reputation.watched_assets.is_observed(
        visit.workspace.id, ObservationKind.LOOKALIKE, brand.name, name
    ):
        raise NotFound("there is no such lookalike")

    def classified(asset: Asset) -> Asset:
        states = {**(asset.details.get("states") or {}), name: state}
        return msgspec.structs.replace(asset, details={**asset.details, "states": states})

    services.reputation.watched_assets.change(visit.workspace.id, AssetKind.LOOKALIKE, brand.id, classified)
    return Redirect(f"/ui/{visit.workspace.id}/reputation/lookalikes")


def _brands(services: DashboardServices, visit: Visit) -> list[Asset]:
    return services.reputation.watched_assets.assets(visit.workspace.id, AssetKind.LOOKALIKE)


def _state(brand: Asset, name: str) -> str:
    states = brand.details.get("states") or {}
    return str(states.get(name, STATES[0]))


PAGES = (
    Page("get", "/{workspace:int}/reputation/lookalikes", listed),
    Page("post", "/{workspace:int}/reputation/lookalikes", classify, role=Role.OPERATOR),
)
