"""What every kind of watched thing can do over HTTP: be listed, added, shown, removed, asked about now. Blocking."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailvane.core.errors import InvalidFields
from mailvane.reputation.emailconsul.parameters import BY_NAME, read, window
from mailvane.reputation.emailconsul.shape import Page, Rows, page
from mailvane.reputation.model import ASKED_ABOUT, Asset, AssetKind, Source
from mailvane.reputation.questions import AssetQuestion
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Asked

_PLACE = re.compile(r"\[(\d+)\]")
_SOURCES = {kind: source for source, kinds in ASKED_ABOUT.items() for kind in kinds}


@dataclass(frozen=True)
class Watch:
    """One kind: how its members are named in bodies, and how they are shown."""

    kind: AssetKind
    shown: Callable[[ReputationServices, Asked, Sequence[Asset]], Sequence[object]]
    body: Any  # with `named` and `profile_id`
    filter: str = "domain"  # parameter that a list is searched by

    @property
    def source(self) -> Source:
        return _SOURCES[self.kind]

    def listed(self, services: ReputationServices, asked: Asked) -> Page:
        part = window(asked.query, BY_NAME)
        found = services.watched_assets.page(self.question(asked), part.offset, part.limit, part.descending)
        return page(self.shown(services, asked, found.assets), found.total, part)

    def question(self, asked: Asked) -> AssetQuestion:
        """What the filters say that every list has."""
        return AssetQuestion(
            workspace=asked.workspace,
            kind=self.kind,
            profile_id=asked.query.get("profile_id") or None,
            name_part=asked.query.get(self.filter, "").lower(),
        )

    def add(self, services: ReputationServices, asked: Asked) -> Rows:
        given = read(self.body, asked.body)
        return self.added(services, asked, given.named, given.profile_id)

    def added(
        self,
        services: ReputationServices,
        asked: Asked,
        named: Sequence[tuple[str, str]],
        profile_id: str | None,
        **more: Any,
    ) -> Rows:
        """Each name stands behind the place that a complaint about it names. Raises InvalidFields."""
        if profile_id and profile_id not in {one.id for one in services.profiles.profiles(asked.workspace)}:
            raise InvalidFields(("profile_id", "there is no such profile"))
        names = [name for _, name in named]
        try:
            added = services.watched_assets.add(
                asked.workspace, self.kind, names, asked.now, profile_id=profile_id or None, **more
            )
        except InvalidFields as error:
            raise InvalidFields(*(_placed(complaint, named) for complaint in error.fields)) from None
        services.wake(self.source)
        return Rows(self.shown(services, asked, added))

    def show(self, services: ReputationServices, asked: Asked) -> Rows:
        return Rows(self.shown(services, asked, [self.asset(services, asked)]))

    def remove(self, services: ReputationServices, asked: Asked) -> None:
        services.watched_assets.remove(asked.workspace, self.kind, asked.path["asset_id"])

    def refresh(self, services: ReputationServices, asked: Asked) -> Rows:
        """Its source is asked about it as soon as it can be."""
        services.watched_assets.ask_now(asked.workspace, self.source, [self.asset(services, asked).id])
        services.wake(self.source)
        return self.show(services, asked)

    def run(self, services: ReputationServices, asked: Asked) -> Mapping[str, Any]:
        """The same for all of them."""
        number = services.watched_assets.ask_now(asked.workspace, self.source)
        services.wake(self.source)
        return {"data": {"count": number}}

    def asset(self, services: ReputationServices, asked: Asked) -> Asset:
        """Raises NotFound."""
        return services.watched_assets.asset(asked.workspace, self.kind, asked.path["asset_id"])


def _placed(complaint: tuple[str, str], named: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Watching counts the names that it is given; a client knows its own fields."""
    place = _PLACE.fullmatch(complaint[0])
    return (named[int(place[1])][0], complaint[1]) if place else complaint
