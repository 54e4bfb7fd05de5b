"""Mail to spam traps and to honeytokens over HTTP: who is watched for it, what was caught, how much. Blocking."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.errors import InvalidFields, InvalidInput
from mailvane.core.moments import DAY_MS
from mailvane.core.tenants.model import KeyKind
from mailvane.reputation.asset_names import normalized
from mailvane.reputation.emailconsul import shape
from mailvane.reputation.emailconsul.parameters import (
    TokensBody,
    TrapsBody,
    TrustBody,
    chosen,
    period,
    read,
    recent,
    several,
    window,
)
from mailvane.reputation.emailconsul.watched import Watch
from mailvane.reputation.model import Asset, AssetKind, ObservationKind
from mailvane.reputation.questions import ObservationQuestion
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Asked

TRAP, TOKEN = ObservationKind.TRAP_HIT, ObservationKind.HONEYTOKEN_HIT
ORDERS = ("-timestamp", "timestamp")
GROUPS = {TRAP: ("ip", "domain_from", "data_colorcode"), TOKEN: ("from_email", "to_email")}
SEARCHED = {
    TRAP: ("ip", "domain_from", "email_from_header", "email_subject", "smtp_mail_from_domain"),
    TOKEN: ("from_email", "to_email", "domain"),
}


def _traps(_services: ReputationServices, _asked: Asked, assets: Sequence[Asset]) -> list[shape.TrapObject]:
    return [_trap(asset) for asset in assets]


def _trap(asset: Asset) -> shape.TrapObject:
    is_address = ":" in asset.name or asset.name.replace(".", "").isdecimal()
    ip, domain = (asset.name, None) if is_address else (None, asset.name)
    return shape.TrapObject(**shape.watched(asset), ip=ip, domain=domain, verified=asset.verified)


def _tokens(_services: ReputationServices, _asked: Asked, assets: Sequence[Asset]) -> list[shape.TokenObject]:
    return [
        shape.TokenObject(
            **shape.watched(asset), email=asset.name, trusted_domains=asset.details.get("trusted_domains", ())
        )
        for asset in assets
    ]


TRAPS = Watch(AssetKind.TRAP, _traps, TrapsBody, filter="name")
TOKENS = Watch(AssetKind.HONEYTOKEN, _tokens, TokensBody, filter="email")


def add_traps(services: ReputationServices, asked: Asked) -> shape.Rows:
    """What is said of them is kept once the operator approved them: at once when the operator adds them."""
    given: TrapsBody = read(TrapsBody, asked.body)
    approved = asked.principal.kind is KeyKind.MASTER
    return TRAPS.added(services, asked, given.named, given.profile_id, verified=approved)


def add_tokens(services: ReputationServices, asked: Asked) -> shape.Rows:
    given: TokensBody = read(TokensBody, asked.body)
    details = {"trusted_domains": _domains(given.trusted_domains)} if given.trusted_domains else {}
    return TOKENS.added(services, asked, given.named, given.profile_id, details=details)


def trust(services: ReputationServices, asked: Asked) -> shape.Rows:
    """Mail of these domains to the token is no leak."""
    given: TrustBody = read(TrustBody, asked.body)
    trusted = {"trusted_domains": _domains(given.trusted_domains)}
    services.watched_assets.change(
        asked.workspace,
        AssetKind.HONEYTOKEN,
        asked.path["asset_id"],
        lambda asset: msgspec.structs.replace(asset, details={**asset.details, **trusted}),
    )
    return TOKENS.show(services, asked)


def _domains(names: Sequence[str]) -> list[str]:
    try:
        return [domain for name in names for domain in normalized(AssetKind.DOMAIN, name)]
    except InvalidInput as error:
        raise InvalidFields(("trusted_domains", error.message)) from None


def log(kind: ObservationKind, services: ReputationServices, asked: Asked) -> shape.Page:
    part = window(asked.query, ORDERS)
    question = _question(kind, asked, recent(asked.query, asked.now))
    found = services.observed.observation_page(question, part.offset, part.limit, newest_first=part.descending)
    return shape.page(
        [{"id": hit.key, **hit.data, "timestamp": shape.date(hit.at)} for hit in found.observations], found.total, part
    )


def aggregated(kind: ObservationKind, services: ReputationServices, asked: Asked) -> shape.Rows:
    """How many hits each value of `group` has; the most first."""
    group = chosen(asked.query, "group", GROUPS[kind])
    counts = services.observed.counts_by(_question(kind, asked, period(asked.query)), group)
    return shape.Rows([{group: value, "count": count} for value, count in counts])


def timeseries(kind: ObservationKind, services: ReputationServices, asked: Asked) -> shape.Rows:
    """How many each day, days of UTC without any included."""
    since, until = recent(asked.query, asked.now)
    counts = services.observed.counts_by_day(_question(kind, asked, (since, until)))
    days = range(since // DAY_MS, (until - 1) // DAY_MS + 1)
    return shape.Rows([{"date": shape.day(day * DAY_MS), "count": counts.get(day, 0)} for day in days])


def _question(kind: ObservationKind, asked: Asked, span: tuple[int, int]) -> ObservationQuestion:
    return ObservationQuestion(
        workspace=asked.workspace,
        kind=kind,
        since=span[0],
        until=span[1],
        contains={name: asked.query.get(name, "") for name in SEARCHED[kind]},
        one_of={"data_colorcode": several(asked.query, "data_colorcode")},
    )
