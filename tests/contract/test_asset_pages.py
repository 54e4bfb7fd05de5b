"""Pages of what is watched, of alerts, and counts of firings, asked of SQLite and of PostgreSQL."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, Table, create_engine, insert, select

from mailvane.core.identifiers import new_id
from mailvane.core.ledger.migration import MIGRATIONS
from mailvane.core.moments import DAY_MS
from mailvane.reputation.alerts.model import Alert, AlertState, FiredRule, LogEntry
from mailvane.reputation.model import NO_REPUTATION, Asset, AssetKind, AssetStatus, Observation, ObservationKind
from mailvane.reputation.questions import (
    AlertQuestion,
    AssetQuestion,
    AssetStanding,
    FiringQuestion,
    ObservationQuestion,
    TrafficFilter,
)
from mailvane.reputation.source_schedule import RETRY_MS, Schedule
from mailvane.server.ledger import Ledger, open_ledger

NOW = 1_790_000_000_000
SPAN = TrafficFilter(since=NOW - 10, until=NOW)
AWKWARD = ["Key", "key 10%", "key_1", "Ä", "ä", "ß", "key\\", "'", "zz", "Zz", "é", "\U0001f600", "a b", "a-b", "ab"]


@pytest.fixture
def one(ledger: Ledger) -> int:
    return ledger.tenants.add_workspace("one", NOW).id


def asset(workspace: int, name: str, kind: AssetKind, **more: object) -> Asset:
    made = Asset(id=new_id(), workspace=workspace, kind=kind, name=name, created_at=NOW)
    return msgspec.structs.replace(made, **more)


def names(ledger: Ledger, question: AssetQuestion, descending: bool = False) -> list[str]:
    page = ledger.assets.asset_page(question, 0, 100, descending)
    assert page.total == len(page.assets)
    return [each.name for each in page.assets]


def test_names_are_sorted_and_searched_by_their_very_letters(ledger: Ledger, one: int) -> None:
    ledger.assets.add_assets([asset(one, name, AssetKind.SNDS) for name in AWKWARD])
    wanted = AssetQuestion(workspace=one, kind=AssetKind.SNDS)
    assert names(ledger, wanted) == sorted(AWKWARD)
    assert names(ledger, wanted, descending=True) == sorted(AWKWARD, reverse=True)
    for part in ("key", "KEY", "%", "_", "\\", "'", "ä", "Ä", "s", "", "\0", "\ud800"):
        expected = sorted(name for name in AWKWARD if part in name)
        assert names(ledger, msgspec.structs.replace(wanted, name_part=part)) == expected, part
    page = ledger.assets.asset_page(wanted, 3, 4)
    assert ([each.name for each in page.assets], page.total) == (sorted(AWKWARD)[3:7], len(AWKWARD))
    assert ledger.assets.asset_count(one, AssetKind.SNDS) == len(AWKWARD)
    assert ledger.assets.asset_count(one, AssetKind.IP) == 0
    assert ledger.assets.asset_counts(one) == {AssetKind.SNDS: len(AWKWARD)}
    first = ledger.assets.assets(one, (AssetKind.SNDS,))[0]
    ledger.assets.change_asset(one, first.id, lambda each: msgspec.structs.replace(each, verified=False))
    assert ledger.assets.asset_counts(one) == {AssetKind.SNDS: len(AWKWARD) - 1}


def test_a_page_is_of_one_workspace_kind_and_profile(ledger: Ledger, one: int) -> None:
    other = ledger.tenants.add_workspace("other", NOW).id
    for workspace in (one, other):
        ledger.assets.add_assets([asset(workspace, f"a{workspace}", AssetKind.IP, id=f"{workspace:024}")])
    ledger.assets.add_assets([asset(one, "b", AssetKind.DOMAIN), asset(one, "c", AssetKind.IP, profile_id="p" * 24)])
    assert names(ledger, AssetQuestion(workspace=one, kind=AssetKind.IP)) == [f"a{one}", "c"]
    assert names(ledger, AssetQuestion(workspace=one, kind=AssetKind.IP, profile_id="p" * 24)) == ["c"]
    ids = ledger.assets.asset_ids(one, [AssetKind.IP, AssetKind.DOMAIN])
    assert len(ids) == 3
    assert ledger.assets.asset_ids(one, [AssetKind.IP], [*ids, f"{other:024}", "nothing"]) == sorted(
        each.id for each in ledger.assets.assets(one, [AssetKind.IP])
    )
    assert ledger.assets.asset_ids(one, [AssetKind.IP], []) == []


def test_domains_are_chosen_by_their_days(ledger: Ledger, one: int) -> None:
    def day(domain: str, at: int, **data: object) -> Observation:
        return Observation(kind=ObservationKind.TRAFFIC, asset=domain, at=at, seen_at=NOW, data=data)

    ledger.assets.add_assets([asset(one, name, AssetKind.GP_DOMAIN) for name in ("a", "b", "c", "d")])
    ledger.observations.observe(
        one,
        [
            day("a", NOW - 2, domainReputation="LOW"),
            day("a", NOW - 1, domainReputation="HIGH", ipReputations=[{"sampleIps": ["192.0.2.1", "2001:db8::1"]}]),
            day("b", NOW - 1, ipReputations=None),
            day("b", NOW - 5, domainReputation="BAD", ipReputations=[{"sampleIps": None}, {}]),
            day("c", NOW - 11, domainReputation="BAD", ipReputations=[{"sampleIps": ["192.0.2.1"]}]),
            day("c", NOW, domainReputation="BAD"),
        ],
    )

    def chosen(**more: object) -> list[str]:
        traffic = msgspec.structs.replace(SPAN, **more)
        return names(ledger, AssetQuestion(workspace=one, kind=AssetKind.GP_DOMAIN, traffic=traffic))

    assert chosen() == ["a", "b", "c", "d"]
    assert chosen(is_needed=True) == ["a", "b"]
    assert chosen(reputations={"HIGH", "LOW"}) == ["a"]
    assert chosen(reputations={"BAD"}) == []
    assert chosen(reputations={NO_REPUTATION}) == ["b", "c", "d"]
    assert chosen(reputations={NO_REPUTATION, "HIGH"}) == ["a", "b", "c", "d"]
    assert chosen(address_part="2.1") == ["a"]
    assert chosen(address_part="2.1", reputations={"LOW"}) == []


def test_delivery_errors_have_a_mean_over_the_days_that_have_them(ledger: Ledger, one: int) -> None:
    for number, errors in enumerate([[{"errorClass": "P", "errorType": "X", "errorRatio": 0.25}, {}], [], None, ()]):
        told = {} if errors == () else {"deliveryErrors": errors}
        ledger.observations.observe(
            one, [Observation(kind=ObservationKind.TRAFFIC, asset="a", at=NOW + number, seen_at=NOW, data=told)]
        )
    found = ledger.observations.error_ratios(ObservationQuestion(workspace=one, kind=ObservationKind.TRAFFIC))
    assert [(each.domain, each.error_class, each.error_type, each.mean) for each in found] == [
        ("a", "", "", 0.0),
        ("a", "P", "X", 0.25),
    ]


@pytest.mark.parametrize("now", [0, RETRY_MS, NOW])
def test_whatever_is_due_is_among_what_was_asked_about_long_ago(ledger: Ledger, one: int, now: int) -> None:
    schedule, random = Schedule(DAY_MS), Random(3)
    states = [AssetStatus.UPDATED, AssetStatus.FAILED, AssetStatus.WAITING]
    made = [
        asset(
            one, f"a{number}", AssetKind.IP, status=random.choice(states), verified=random.random() < 0.8,
            asked_at=max(0, now - random.choice((0, RETRY_MS - 1, RETRY_MS, int(DAY_MS * 0.93), DAY_MS, NOW))),
        )
        for number in range(200)
    ]  # fmt: skip
    ledger.assets.add_assets(made)
    found = ledger.assets.assets_asked_before([AssetKind.IP], *schedule.asked_before(now))
    due = {each.id for each in made if each.verified and schedule.due_at(each) <= now}
    assert due <= {each.id for each in found}
    assert all(each.verified for each in found)
    assert due
    if now == NOW:
        assert len(found) < sum(each.verified for each in made)


def test_how_much_is_known_of_what_is_watched(ledger: Ledger, one: int) -> None:
    kinds = (AssetKind.IP, AssetKind.DOMAIN)
    assert ledger.assets.asset_standing(one, kinds, NOW) == AssetStanding(0, 0, "")
    old, failed = {"updated_at": NOW - 1}, {"updated_at": 0, "status": AssetStatus.FAILED}
    ledger.assets.add_assets(
        [
            asset(one, "a", AssetKind.IP, updated_at=NOW, error="said of what is known"),
            asset(one, "b", AssetKind.IP, **old),
            asset(one, "c", AssetKind.DOMAIN, error="timeout", **failed),
            asset(one, "d", AssetKind.IP, error="refused", **failed),
            asset(one, "e", AssetKind.IP, error="refused", verified=False, **failed),
            asset(one, "f", AssetKind.SNDS, error="refused", **failed),
        ]
    )
    # Of two that are as frequent, the first by name.
    assert ledger.assets.asset_standing(one, kinds, NOW) == AssetStanding(4, 3, "timeout")
    assert ledger.assets.asset_standing(one, (AssetKind.IP,), NOW) == AssetStanding(3, 2, "refused")
    assert ledger.assets.asset_standing(one, kinds, 0) == AssetStanding(4, 0, "")
    ledger.assets.add_assets([asset(one, "g", AssetKind.IP, error="refused", **failed)])
    assert ledger.assets.asset_standing(one, kinds, NOW).error == "refused"


def test_alerts_are_sorted_by_name_in_any_case_and_equal_ones_by_age(ledger: Ledger, one: int) -> None:
    random = Random(5)
    made = [
        Alert(
            id=f"{random.randrange(10**9):024}", workspace=one, name=random.choice(("B", "a", "É", "é", "Z", "A b")),
            created_at=random.randrange(4), updated_at=0, rules=(),
        )
        for _ in range(40)
    ]  # fmt: skip
    for each in made:
        ledger.alerts.add_alert(each)
    by_age = sorted(made, key=lambda each: (each.created_at, each.id))
    for by_name in (False, True):
        for descending in (False, True):
            question = AlertQuestion(workspace=one, by_name=by_name, descending=descending, limit=100)
            expected = sorted(
                by_age, key=lambda each: each.name.lower() if by_name else each.created_at, reverse=descending
            )
            assert [each.id for each in ledger.alerts.alert_page(question).alerts] == [each.id for each in expected]
    renamed = ledger.alerts.change_alert(one, made[0].id, lambda known: msgspec.structs.replace(known, name="0"))
    page = ledger.alerts.alert_page(AlertQuestion(workspace=one, by_name=True, limit=1))
    assert (page.alerts, page.total) == ([renamed], 40)


def test_firings_are_counted_by_what_matched(ledger: Ledger, one: int) -> None:
    alert = Alert(id="a" * 24, workspace=one, name="new", created_at=0, updated_at=0, rules=())
    ledger.alerts.add_alert(alert)
    address = {"rbl": "bl.example", "ip": "192.0.2.1", "longer": 2}

    def fired(ident: str, at: int, name: str, *rules: FiredRule) -> None:
        entry = LogEntry(
            id=ident * 24, workspace=one, alert_id=alert.id, profile_id=None, name=name, at=at, rules=rules
        )
        assert ledger.alert_log.save_evaluation(AlertState(alert_id=alert.id, version=len(versions)), entry, [])
        versions.append(ident)

    versions: list[str] = []
    matched = FiredRule(type="IP_IN_RBL", snapshot={}, matchings={"items": [address, {**address, "value": 1}]})
    empty = FiredRule(type="IP_IN_RBL", snapshot={}, matchings={"items": []})
    odd = FiredRule(type="TRAPS_IP", snapshot={}, matchings={})
    fired("b", NOW, "second", matched, matched, odd)
    fired("c", NOW, "third", matched)
    fired("d", NOW + DAY_MS, "last", empty, odd)
    question = FiringQuestion(workspace=one, since=0, until=NOW * 2)
    ((item, count),) = ledger.alert_log.matched_items(question)
    assert (list(item), item, count) == (["ip", "longer", "rbl"], address, 6)
    (rule,) = ledger.alert_log.fired_rules(question)
    assert (rule.name, rule.rule_type, rule.count) == ("third", "IP_IN_RBL", 3)
    assert ledger.alert_log.firing_days(question) == {NOW // DAY_MS: 2}
    for more in ({"rule_type": "TRAPS_IP"}, {"ip": "3.0"}, {"domain": "x"}, {"since": NOW + 1}, {"workspace": one + 1}):
        other = msgspec.structs.replace(question, **more)
        assert (
            ledger.alert_log.matched_items(other),
            ledger.alert_log.fired_rules(other),
            ledger.alert_log.firing_days(other),
        ) == ([], [], {})


def test_lookalikes_are_chosen_by_key(ledger: Ledger, one: int) -> None:
    def seen(key: str, at: int, **data: object) -> Observation:
        return Observation(kind=ObservationKind.LOOKALIKE, asset="a", key=key, at=at, seen_at=NOW, data=data)

    ledger.observations.observe(
        one, [seen("x", 1), seen("x", 2, gone=True), seen("y", 1, gone=True), seen("y", 2), seen("-z", 1, gone=False)]
    )
    asked = ObservationQuestion(
        workspace=one, kind=ObservationKind.LOOKALIKE, newest_only=True, assets={"a", "b"}, not_true=("gone",)
    )

    def keys(**more: object) -> list[str]:
        page = ledger.observations.keyed_page(msgspec.structs.replace(asked, **more), 0, 10)
        assert page.total == len(page.observations)
        return [each.key for each in page.observations]

    assert keys() == sorted(keys()) == ["-z", "y"]
    assert [each.key for each in ledger.observations.keyed_page(asked, 0, 10, descending=True).observations] == [
        "y",
        "-z",
    ]
    assert keys(not_true=(), true=("gone",)) == ["x"]
    assert keys(keys={"y", "q"}) == ["y"]
    assert keys(keys=()) == []
    assert keys(keys_but={"y"}) == ["-z"]
    assert keys(keys={str(number) for number in range(50_000)} | {"y"}) == ["y"]
    assert keys(key_part="-") == ["-z"]
    assert keys(assets=()) == []
    assert {name: len(found) for name, found in ledger.observations.observations_by_asset(asked).items()} == {"a": 2}


def of_revision(path: Path, revision: str, filled: str, *tables: str) -> str:
    """A ledger as an older version left it, with what these tables of the other one hold."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    url = f"sqlite:///{path}"
    with create_engine(url).begin() as connection, create_engine(filled).connect() as source:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for name in tables:
            table = Table(name, MetaData(), autoload_with=connection)
            rows = source.execute(select(*table.columns)).mappings().all()
            connection.execute(insert(table), [dict(row) for row in rows])
    return url


def test_alerts_of_an_older_ledger_are_sorted_by_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    ledger = open_ledger(url)
    workspace = ledger.tenants.add_workspace("one", NOW).id
    for ident, name in pairwise("bÄaZz"):
        made = Alert(id=ident * 24, workspace=workspace, name=name, created_at=NOW, updated_at=NOW, rules=())
        ledger.alerts.add_alert(made)
    question = AlertQuestion(workspace=workspace, by_name=True)
    expected = ledger.alerts.alert_page(question)
    ledger.close()
    older = open_ledger(of_revision(tmp_path / "older.sqlite", "0009", url, "workspaces", "alerts"))
    assert older.alerts.alert_page(question) == expected
    assert [each.name for each in expected.alerts] == ["a", "z", "Z", "Ä"]
    older.close()
