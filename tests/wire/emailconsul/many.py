"""A workspace with 100,000 observations of every kind, kept as plain values beside the server that has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
from sqlalchemy import event, insert

from mailvane.dmarc.store.tables import report_rows, reports
from mailvane.reputation.alerts.model import Alert, FiredRule, LogEntry
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind
from mailvane.reputation.store.tables import alert_log, alerts, observations
from tests.wire.world import NOW, World

DAY = 86_400_000
MIDNIGHT = NOW - NOW % DAY
DAYS = 25
COLOURS = ("GREEN", "YELLOW", "RED")
STATES = ("THREAT", "IGNORED")
REPUTATIONS = ("HIGH", "MEDIUM", "LOW", "BAD")
IPS = [f"10.{number // 250}.0.{number % 250}" for number in range(3000)]
DOMAINS = [f"d{number}.{('Alpha', 'beta', 'gamma')[number % 3].lower()}.example" for number in range(600)]
NUMBERS: Mapping[ObservationKind, int] = {
    ObservationKind.TRAP_HIT: 35_000,
    ObservationKind.HONEYTOKEN_HIT: 8_000,
    ObservationKind.SNDS_DATA: 17_500,
    ObservationKind.SNDS_STATUS: 3_000,
    ObservationKind.IP_LISTING: 8_000,
    ObservationKind.DOMAIN_LISTING: 2_000,
    ObservationKind.TRAFFIC: 12_500,
    ObservationKind.LOOKALIKE: 9_000,
    ObservationKind.DMARC: 3_000,
    ObservationKind.TLS: 1_000,
    ObservationKind.FAILURE: 1_000,
}
_WATCHED: Mapping[AssetKind, Sequence[str]] = {
    AssetKind.IP: IPS,
    AssetKind.DOMAIN: DOMAINS,
    AssetKind.GP_DOMAIN: DOMAINS,
    AssetKind.DMARC: DOMAINS[:100],
    AssetKind.LOOKALIKE: DOMAINS[:3],
    AssetKind.TRAP: [*IPS[:200], *DOMAINS[:100]],
    AssetKind.HONEYTOKEN: [f"token{number}@ours.example" for number in range(300)],
    AssetKind.SNDS: [f"Key {number}" for number in range(100)],
}
PROFILE = "f" * 24


@dataclass
class Many:
    """The server, what it was told, and how many rows its database has handed over."""

    world: World
    told: dict[ObservationKind, list[Observation]] = field(default_factory=dict)
    assets: dict[AssetKind, list[Asset]] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    entries: list[LogEntry] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    report_rows: list[dict[str, Any]] = field(default_factory=list)
    fetched: int = 0

    def newest(self, kind: ObservationKind) -> list[Observation]:
        """Of each asset and key."""
        found: dict[tuple[str, str], Observation] = {}
        for one in sorted(self.told[kind], key=lambda one: one.at):
            found[one.asset, one.key] = one
        return list(found.values())

    def count_rows(self) -> None:
        """From now on."""
        engine = self.world.ledger.database.engine
        make = self._sqlite_row if engine.dialect.name == "sqlite" else self._postgresql_rows
        event.listen(engine, "checkout", lambda connection, *_: setattr(connection, "row_factory", make))

    def _sqlite_row(self, _cursor: object, row: tuple[Any, ...]) -> tuple[Any, ...]:
        self.fetched += 1
        return row

    def _postgresql_rows(self, _cursor: object) -> Any:
        return lambda values: self._sqlite_row(None, tuple(values))


def filled(world: World) -> Many:
    """Written past the services, for speed: what they keep of each refresh is not what is judged here."""
    many, random = Many(world), Random(7)
    workspace = world.ours.workspace.id
    for watched, names in _WATCHED.items():
        many.assets[watched] = world.ledger.assets.add_assets(
            [_asset(workspace, watched, number, name) for number, name in enumerate(names)]
        )
    for kind in NUMBERS:
        many.told[kind] = list(_told(kind, random))
    rows = [_row(workspace, one) for told in many.told.values() for one in told]
    foreign = [_row(world.theirs.workspace.id, told[0]) for told in many.told.values()]
    _fill_alerts(many, random)
    _fill_reports(many, random)
    with world.ledger.database.write() as connection:
        connection.execute(insert(observations), rows + foreign)
        connection.execute(insert(alerts), [_alert_row(one) for one in many.alerts])
        connection.execute(insert(alert_log), [_entry_row(one) for one in many.entries])
        connection.execute(insert(reports), [{**one, "workspace": workspace, "head": "{}"} for one in many.reports])
        connection.execute(insert(report_rows), [{**one, "data": _text(one["data"])} for one in many.report_rows])
    many.count_rows()
    return many


def _asset(workspace: int, kind: AssetKind, number: int, name: str) -> Asset:
    states = {f"l{place}.example": STATES[place % 2] for place in range(0, 3000, 5)}
    return Asset(
        id=f"{list(AssetKind).index(kind):04x}{number:020x}",
        workspace=workspace,
        kind=kind,
        name=name,
        created_at=NOW - DAY,
        updated_at=NOW,
        asked_at=NOW - DAY // 2,
        profile_id=PROFILE if number % 4 == 0 else None,
        details={"states": states} if kind is AssetKind.LOOKALIKE else {},
    )


def _told(kind: ObservationKind, random: Random) -> Iterator[Observation]:
    for number in range(NUMBERS[kind]):
        asset, key, at = _identity(kind, number)
        yield Observation(
            kind=kind, asset=asset, key=key, at=at, seen_at=at, confirmed_at=at, data=_data(kind, number, random)
        )


def _identity(kind: ObservationKind, number: int) -> tuple[str, str, int]:
    """Asset, key, time."""
    day = MIDNIGHT - DAY * (number % DAYS)
    match kind:
        case ObservationKind.SNDS_DATA | ObservationKind.SNDS_STATUS:
            return IPS[number // DAYS], "", day
        case ObservationKind.TRAFFIC:
            return DOMAINS[number // DAYS], "", day
        case ObservationKind.IP_LISTING:
            return IPS[number // 4], f"bl{number // 2 % 2}.example", NOW - DAY * (number % 2)
        case ObservationKind.DOMAIN_LISTING:
            return DOMAINS[number // 4], f"bl{number // 2 % 2}.example", NOW - DAY * (number % 2)
        case ObservationKind.LOOKALIKE:
            return DOMAINS[number % 3], f"l{number // 6}.example", NOW - DAY * (number // 3 % 2)
        case ObservationKind.DMARC | ObservationKind.TLS | ObservationKind.FAILURE:
            return DOMAINS[number % 90], f"r{number}", NOW - 600_000 * number
        case _:
            return IPS[number % 200], f"{number * 7919 % 100_003:06}", NOW - 60_000 * number


def _data(kind: ObservationKind, number: int, random: Random) -> dict[str, Any]:
    match kind:
        case ObservationKind.TRAP_HIT:
            return {
                "ip": IPS[random.randrange(200)],
                "domain_from": DOMAINS[random.randrange(100)],
                "data_colorcode": random.choice(COLOURS).lower(),
                "email_subject": f"Größe {number % 50}",
            }
        case ObservationKind.HONEYTOKEN_HIT:
            sender = f"s{random.randrange(40)}@spam.example"
            return {"from_email": sender, "to_email": f"token{number % 300}@ours.example", "domain": "spam.example"}
        case ObservationKind.SNDS_DATA:
            counts = {name: random.randrange(1000) for name in ("rcpt_commands", "data_commands", "recipients")}
            more = {"bounce": random.randrange(9), "trap_hits": random.randrange(3), "complaint_rate": number % 8 / 8}
            return {**counts, **more, "filter_result": random.choice(COLOURS)}
        case ObservationKind.SNDS_STATUS:
            return {"blocked": bool(number % 2), "details": "x"}
        case ObservationKind.IP_LISTING | ObservationKind.DOMAIN_LISTING:
            return {"listed": random.random() < 0.5, "codes": ["127.0.0.2"], "reason": ""}
        case ObservationKind.TRAFFIC:
            return _traffic(random)
        case ObservationKind.LOOKALIKE:
            return {"gone": True} if random.random() < 0.2 else {"score": number % 100, "registrar": "R"}
        case _:
            return _report(kind, random)


def _report(kind: ObservationKind, random: Random) -> dict[str, Any]:
    match kind:
        case ObservationKind.DMARC:
            return {"messages": random.randrange(500), "dmarc_fail": random.randrange(9)}
        case ObservationKind.TLS:
            return {"succeeded": random.randrange(500), "failed": max(0, random.randrange(-9, 9)), "failures": []}
        case _:
            return {"feedback_type": random.choice(("abuse", "fraud", "auth-failure"))}


def _traffic(random: Random) -> dict[str, Any]:
    found: dict[str, Any] = {"spfSuccessRatio": 0.5}
    if random.random() < 0.9:
        found["domainReputation"] = random.choice(REPUTATIONS)
    if random.random() < 0.1:
        found["ipReputations"] = [{"reputation": "BAD", "sampleIps": [random.choice(IPS), "2001:db8::1"]}]
    if random.random() < 0.3:
        kinds = (("PERMANENT_ERROR", "IP_IN_RBL"), ("TEMPORARY_ERROR", "RATE_LIMIT_EXCEEDED"))
        found["deliveryErrors"] = [
            {"errorClass": kind, "errorType": reason, "errorRatio": random.randrange(64) / 64} for kind, reason in kinds
        ]
    elif random.random() < 0.1:
        found["deliveryErrors"] = None
    return found


def _fill_alerts(many: Many, random: Random) -> None:
    workspace = many.world.ours.workspace.id
    of_all = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]}
    for number in range(300):
        name = random.choice(("Über", "alpha", "Beta", "ALPHA", "gamma")) + f" {number % 7}"
        alert = Alert(
            id=f"{number * 7919 % 100_003:024x}", workspace=workspace, name=name, rules=(of_all,), updated_at=NOW,
            created_at=NOW - number // 3 * 1000, profile_id=PROFILE if number % 5 == 0 else None,
        )  # fmt: skip
        many.alerts.append(alert)
    for number in range(4000):
        alert = many.alerts[number % 7]
        rules = [_fired(random) for _ in range(random.randrange(1, 4))]
        many.entries.append(
            LogEntry(
                id=f"{number * 7919 % 100_003:024x}", workspace=workspace, alert_id=alert.id, rules=tuple(rules),
                profile_id=alert.profile_id, name=f"{alert.name} v{number // 1000}", at=NOW - number // 2 * 600_000,
            )
        )  # fmt: skip


def _fired(random: Random) -> FiredRule:
    choice = random.randrange(3)
    items: list[dict[str, Any]] = []
    if choice == 0:
        items = [{"ip": random.choice(IPS[:300]), "rbl": "bl.example"} for _ in range(random.randrange(4))]
    elif choice == 1:
        items = [{"domain": random.choice(DOMAINS[:20]), "value": random.random()}]
    else:
        items = [{"traps_ip": random.choice(IPS[:20]), "value": random.randrange(9)}]
    kinds = ("IP_IN_RBL", "GP_SPF_SUCCESS_RATIO", "TRAPS_IP")
    return FiredRule(type=kinds[choice], snapshot={}, matchings={"items": items, "count": len(items)})


def _fill_reports(many: Many, random: Random) -> None:
    for number in range(2000):
        ends = NOW - number // 2 * 1_000_000
        told = {"id": f"{number * 7919 % 100_003:024x}", "report_id": str(number), "domain": DOMAINS[number % 90]}
        times = {"begins": ends - DAY, "ends": ends, "received_at": ends}
        many.reports.append({**told, **times, "organisation": "isp.example", "messages": 3, "rows": 2})
        for place in range(2):
            passed = random.random() < 0.7
            data = {"source_ip": IPS[random.randrange(50)], "count": random.randrange(1, 99), "dkim_aligned": passed}
            many.report_rows.append(
                {
                    "report": told["id"], "number": place, "source_ip": data["source_ip"], "messages": data["count"],
                    "failing": not passed, "data": data,
                }
            )  # fmt: skip


def _text(value: object) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def _row(workspace: int, one: Observation) -> dict[str, Any]:
    return {**msgspec.structs.asdict(one), "workspace": workspace, "kind": one.kind.value, "data": _text(one.data)}


def _alert_row(one: Alert) -> dict[str, Any]:
    names = ("id", "workspace", "profile_id", "created_at")
    row = {name: getattr(one, name) for name in names}
    return {**row, "sorted_name": one.name.lower(), "document": _text(one)}


def _entry_row(one: LogEntry) -> dict[str, Any]:
    names = ("id", "workspace", "alert_id", "profile_id", "at", "in_daily_report")
    return {**{name: getattr(one, name) for name in names}, "document": _text(one)}
