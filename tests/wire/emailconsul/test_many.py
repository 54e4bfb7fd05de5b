"""Every list of reputation over 100,000 observations: right as a plain search over the same data is, on both engines.

The work is guarded by the rows that the database hands over: a page must not cost more than what it shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from mailvane.reputation.model import NO_REPUTATION, AssetKind
from mailvane.reputation.model import Observation as Seen
from mailvane.reputation.model import ObservationKind as Kind
from mailvane.reputation.source_schedule import Schedule
from tests.contract.ledgers import ENGINES, postgres
from tests.wire.emailconsul.asking import get
from tests.wire.emailconsul.many import COLOURS, DAY, DOMAINS, IPS, NUMBERS, PROFILE, Many, filled
from tests.wire.world import NOW, opened

__all__ = ["postgres"]

LIMIT = 20
BESIDE = 10  # rows of a request that are not of its list: the key, the total
MONTH = 30 * DAY
SPAN = {"period_from": "2023-12-25T00:00:00.000Z", "period_to": "2024-01-18T00:00:00.000Z"}
SINCE, UNTIL = 1_703_462_400_000, 1_705_536_000_000


@pytest.fixture(scope="module", params=ENGINES)
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    url = None
    if request.param == "postgresql":
        server, name = request.getfixturevalue("postgres"), f"many_{uuid4().hex}"
        server.psql(f"CREATE DATABASE {name}")
        url = server.get_uri(name)
    with opened(tmp_path_factory.mktemp("many"), url) as world:
        yield filled(world)


def asked(many: Many, path: str, at_most: int, **query: Any) -> Any:
    """The answer, for which the database handed over no more than so many rows."""
    before = many.fetched
    answer = get(many.world, path, **query)
    assert 0 < many.fetched - before <= at_most + BESIDE, (path, query, many.fetched - before)
    return answer


def check_pages(
    many: Many, path: str, expected: Sequence[Any], shown: Callable[[Any], Any], each: int = 1, **query: Any
) -> None:
    """The first, a middle and the last page are those parts of what is expected. `each` row costs so many."""
    last = max(0, len(expected) - 7)
    for offset in sorted({0, len(expected) // 2, last, len(expected)}):
        page = asked(many, path, LIMIT * each, offset=offset, limit=LIMIT, **query)
        assert [shown(row) for row in page["data"]] == expected[offset : offset + LIMIT], (path, query, offset)
        assert page["meta"] == {"count": len(expected), "offset": offset, "limit": LIMIT}


def by_time(found: Sequence[Seen]) -> list[Seen]:
    return sorted(found, key=lambda one: (one.at, one.key, one.asset), reverse=True)


def field_of(name: str) -> Callable[[Any], Any]:
    return lambda row: row[name]


def recent(found: Sequence[Seen]) -> list[Seen]:
    return [one for one in found if NOW + 1 - MONTH <= one.at <= NOW]


def test_there_are_a_hundred_thousand(many: Many) -> None:
    assert sum(NUMBERS.values()) == sum(map(len, many.told.values())) == 100_000


@pytest.mark.parametrize(("path", "kind"), [("/traps", Kind.TRAP_HIT), ("/honeytoken", Kind.HONEYTOKEN_HIT)])
def test_hits(many: Many, path: str, kind: Kind) -> None:
    hits = by_time(recent(many.told[kind]))
    key = field_of("id")
    check_pages(many, f"{path}/log", [one.key for one in hits], key)
    check_pages(many, f"{path}/log", [one.key for one in reversed(hits)], key, sort="timestamp")
    name, part = ("email_subject", "GRÖSSE 4") if kind is Kind.TRAP_HIT else ("from_email", "S3")
    part = part.replace("GRÖSSE", "größE")
    some = [one.key for one in hits if part.lower() in one.data[name].lower()]
    check_pages(many, f"{path}/log", some, key, 1, **{name: part})
    inside = [one for one in many.told[kind] if SINCE <= one.at < UNTIL]
    group = "ip" if kind is Kind.TRAP_HIT else "from_email"
    counted = Counter(one.data[group] for one in inside)
    rows = asked(many, f"{path}/stats/aggregated", len(counted), group=group, **SPAN)["data"]
    assert sorted((row["count"], row[group]) for row in rows) == sorted((n, value) for value, n in counted.items())
    assert [row["count"] for row in rows] == sorted(counted.values(), reverse=True)
    days = asked(many, f"{path}/stats/timeseries", 31, **SPAN)["data"]
    by_day = Counter(one.at // DAY for one in inside)
    assert [row["count"] for row in days] == [by_day[day] for day in range(SINCE // DAY, (UNTIL - 1) // DAY + 1)]


def test_hits_of_one_colour_and_address(many: Many) -> None:
    hits = by_time(recent(many.told[Kind.TRAP_HIT]))
    some = [one.key for one in hits if one.data["data_colorcode"] in ("red", "green") and "0.0.1" in one.data["ip"]]
    check_pages(many, "/traps/log", some, field_of("id"), data_colorcode="red,green", ip="0.0.1")


def test_snds(many: Many) -> None:
    def shown(row: Any) -> Any:
        return row["ip"], row["date_timestamp"][:10]

    def expected(found: Sequence[Seen]) -> list[Any]:
        return [(one.asset, date(one.at)) for one in by_time(found)]

    data, status = recent(many.told[Kind.SNDS_DATA]), many.newest(Kind.SNDS_STATUS)
    check_pages(many, "/snds/ip_data", expected(data), shown, each=2)
    red = [one for one in data if one.data["filter_result"] == "RED" and "10.1.0.1" in one.asset]
    check_pages(many, "/snds/ip_data", expected(red), shown, each=2, filter_result="RED", ip="10.1.0.1")
    check_pages(many, "/snds/ip_status", expected(status), shown, each=2)
    check_pages(
        many, "/snds/ip_status", expected([one for one in status if "0.0.11" in one.asset]), shown, each=2, ip="0.0.11"
    )


def test_sums_of_snds(many: Many) -> None:
    sums: dict[str, Counter[str]] = {}
    for one in many.told[Kind.SNDS_DATA]:
        if SINCE <= one.at < UNTIL:
            told = sums.setdefault(one.asset, Counter())
            told.update({name: one.data[name] for name in ("recipients", "trap_hits", "complaint_rate")})
            told.update([one.data["filter_result"].lower(), "days"])
    rows = asked(many, "/snds/aggregated", 4 * len(sums), **SPAN)["data"]
    assert {row["ip"] for row in rows} == set(sums)
    for row in rows:
        told = sums[row["ip"]]
        assert (row["recipients"], row["trap_hits"]) == (told["recipients"], told["trap_hits"])
        assert [row[colour.lower()] for colour in COLOURS] == [told[colour.lower()] for colour in COLOURS]
        assert row["complaint_rate"] == told["complaint_rate"] / told["days"]
    traps = asked(many, "/snds/aggregated_traps", len(sums), **SPAN)["data"]
    assert {row["ip"]: row["trap_hits"] for row in traps} == {
        ip: told["trap_hits"] for ip, told in sums.items() if told["trap_hits"]
    }


@pytest.mark.parametrize(
    ("path", "kind", "name", "part"),
    [
        ("/ips", AssetKind.IP, "ip", "0.0.11"),
        ("/domains", AssetKind.DOMAIN, "domain", "9.ALPHA"),
        ("/gpdomains", AssetKind.GP_DOMAIN, "domain", "9.alpha"),
        ("/dmarc", AssetKind.DMARC, "domain", "9.beta"),
        ("/lookalike", AssetKind.LOOKALIKE, "domain", "beta"),
        ("/traps", AssetKind.TRAP, "name", "alpha"),
        ("/honeytoken", AssetKind.HONEYTOKEN, "email", "en9"),
        ("/snds/creds", AssetKind.SNDS, "name", "y 9"),
    ],
)
def test_what_is_watched(many: Many, path: str, kind: AssetKind, name: str, part: str) -> None:
    assets = sorted(many.assets[kind], key=lambda one: one.name)
    ids = [one.id for one in assets]
    each = {AssetKind.GP_DOMAIN: 32, AssetKind.IP: 3, AssetKind.DOMAIN: 3}.get(kind, 2)
    check_pages(many, path, ids, field_of("id"), each)
    check_pages(many, path, ids[::-1], field_of("id"), each, sort="-name")
    check_pages(many, path, [one.id for one in assets if one.profile_id], field_of("id"), each, profile_id=PROFILE)
    some = [one.id for one in assets if part.lower() in one.name]
    check_pages(many, path, some, field_of("id"), each, **{name: part})


@pytest.mark.parametrize(
    ("path", "kind", "name"), [("/ips", Kind.IP_LISTING, "ip"), ("/domains", Kind.DOMAIN_LISTING, "domain")]
)
def test_listings_of_what_is_watched(many: Many, path: str, kind: Kind, name: str) -> None:
    listed: dict[str, list[str]] = {}
    for one in many.newest(kind):
        if one.data["listed"]:
            listed.setdefault(one.asset, []).append(one.key)
    page = asked(many, path, 3 * 500, limit=500)
    assert len(page["data"]) == 500
    for row in page["data"]:
        assert [each["lookup_host"] for each in row["rbl_result"]] == sorted(listed.get(row[name], []))


def test_postmaster(many: Many) -> None:
    days: dict[str, list[Seen]] = {name: [] for name in sorted(DOMAINS)}
    for one in sorted(many.told[Kind.TRAFFIC], key=lambda one: one.at):
        days[one.asset].append(one)
    (shown,) = asked(many, "/gpdomains", 1 + 30, domain=DOMAINS[7], limit=1, sort="-name")["data"]
    assert [row["date_timestamp"][:10] for row in shown["traffic_stats"]] == [
        date(one.at) for one in reversed(days[DOMAINS[7]])
    ]

    def names(wanted: Callable[[list[Seen]], bool], **query: Any) -> None:
        expected = [name for name, told in days.items() if wanted(told)]
        check_pages(many, "/gpdomains", expected, field_of("domain"), 32, **query)

    def newest(told: list[Seen]) -> str:
        return str(told[-1].data.get("domainReputation", NO_REPUTATION)) if told else NO_REPUTATION

    names(lambda told: newest(told) in {"LOW", "BAD"}, domain_reputations="LOW,BAD")
    names(lambda told: newest(told) == NO_REPUTATION, domain_reputations=NO_REPUTATION)
    names(bool, hide_without_stats="true")
    names(lambda told: any("10.1.0.2" in address for one in told for address in samples(one)), ip="10.1.0.2")


def samples(day: Seen) -> list[str]:
    return [address for group in day.data.get("ipReputations", ()) for address in group["sampleIps"]]


def test_delivery_errors(many: Many) -> None:
    ratios: dict[tuple[str, str, str], list[float]] = {}
    for one in many.told[Kind.TRAFFIC]:
        if SINCE <= one.at < UNTIL:
            for error in one.data.get("deliveryErrors") or ():
                place = one.asset, error["errorClass"], error["errorType"]
                ratios.setdefault(place, []).append(error["errorRatio"])
    rows = asked(many, "/gpdomains/aggregated/delivery_errors_ratio", len(ratios), **SPAN)["data"]
    assert [(row["domain"], row["error_class"], row["error_type"], row["avg"]) for row in rows] == [
        (*place, sum(values) / len(values)) for place, values in sorted(ratios.items())
    ]
    assert asked(many, "/gpdomains/available_count", 1)["data"]["count"] == len(DOMAINS)


def test_lookalikes(many: Many) -> None:
    brand = next(one for one in many.assets[AssetKind.LOOKALIKE] if one.name == DOMAINS[1])
    path, states = f"/lookalike/{brand.id}/lookalikes", brand.details["states"]
    there = [one for one in many.newest(Kind.LOOKALIKE) if not one.data.get("gone")]
    names = sorted(one.key for one in there if one.asset == brand.name)
    assert len(names) > 2 * LIMIT
    check_pages(many, path, names, field_of("id"))
    check_pages(many, path, names[::-1], field_of("id"), sort="-name")
    check_pages(many, path, [name for name in names if "l11" in name], field_of("id"), lookalike="L11")
    for wanted in ({"THREAT"}, {"UNCLASSIFIED"}, {"UNCLASSIFIED", "IGNORED"}, {"IGNORED", "THREAT"}):
        some = [name for name in names if states.get(name, "UNCLASSIFIED") in wanted]
        check_pages(many, path, some, field_of("id"), state=",".join(wanted))
    counted = Counter(one.asset for one in there)
    rows = asked(many, "/lookalike", 10)["data"]
    assert {row["domain"]: row["lookalikes"] for row in rows} == dict(counted)


def test_dmarc(many: Many) -> None:
    sums: Counter[str] = Counter()
    for one in recent(many.told[Kind.DMARC]):
        sums[one.asset] += one.data["messages"]
    rows = asked(many, "/dmarc", 2 * 100, limit=100)["data"]
    assert {row["domain"]: row["messages"] for row in rows} == {name: sums[name] for name in DOMAINS[:100]}
    reports = sorted(many.reports, key=lambda one: (-one["ends"], one["id"]))
    check_pages(many, "/dmarc/reports", [one["id"] for one in reports], field_of("id"))
    of_one = [one["id"] for one in reports if one["domain"] == DOMAINS[3]]
    check_pages(many, "/dmarc/reports", of_one, field_of("id"), domain=DOMAINS[3])
    rows = sorted(many.report_rows, key=lambda one: (-one["messages"], one["report"], one["number"]))
    check_pages(many, "/dmarc/rows", [one["data"]["count"] for one in rows], field_of("count"))
    failing = [one["source_ip"] for one in rows if one["failing"]]
    check_pages(many, "/dmarc/rows", failing, field_of("source_ip"), failing="true")


@pytest.mark.parametrize(("path", "kind"), [("tls", Kind.TLS), ("abuse", Kind.FAILURE)])
def test_mail_reports(many: Many, path: str, kind: Kind) -> None:
    expected = [one.key for one in sorted(many.told[kind], key=lambda one: (-one.at, one.asset, one.key))]
    for offset in (0, len(expected) // 2, len(expected) - 7):
        before = many.fetched
        page = many.world.client.get(
            f"/mailvane/v1/dmarc/{path}", params={"offset": offset, "limit": LIMIT}, headers=many.world.ours.headers
        ).json()
        assert [one["key"] for one in page["reports"]] == expected[offset : offset + LIMIT]
        assert page["total"] == sum(one["reports"] for one in page["domains"]) == len(expected)
        assert many.fetched - before <= LIMIT + len(page["domains"]) + BESIDE


def test_alerts(many: Many) -> None:
    first = sorted(many.alerts, key=lambda one: (one.created_at, one.id))
    for sort, key in (("created_at", lambda one: one.created_at), ("name", lambda one: one.name.lower())):
        for sign in ("", "-"):
            expected = [one.id for one in sorted(first, key=key, reverse=bool(sign))]
            check_pages(many, "/alerts", expected, field_of("id"), sort=f"{sign}{sort}")
    some = [one.id for one in first if one.profile_id == PROFILE]
    check_pages(many, "/alerts", some, field_of("id"), profile_id=PROFILE)
    alert = many.alerts[3]
    fired = sorted((one for one in many.entries if one.alert_id == alert.id), key=lambda one: (one.at, one.id))
    check_pages(many, f"/alerts/{alert.id}/log", [one.id for one in reversed(fired)], field_of("id"))


@pytest.mark.parametrize("query", [{}, {"ip": "0.0.1"}, {"domain": "alpha"}, {"profile_id": PROFILE}])
def test_statistics_of_alerts(many: Many, query: dict[str, str]) -> None:
    by_alert: Counter[tuple[str, str]] = Counter()
    names: dict[str, str] = {}
    by_day: Counter[int] = Counter()
    items: Counter[tuple[Any, ...]] = Counter()
    chosen = many.alerts[0]
    for entry in sorted(many.entries, key=lambda one: (one.at, one.id), reverse=True):
        if not SINCE <= entry.at < UNTIL or query.get("profile_id", entry.profile_id) != entry.profile_id:
            continue
        matched = [(rule.type, item) for rule in entry.rules for item in rule.matchings["items"] if fits(item, query)]
        by_alert.update((entry.alert_id, kind) for kind in types_of(entry, query))
        by_day[entry.at // DAY] += bool(matched)
        if matched:
            names.setdefault(entry.alert_id, entry.name)
        if entry.alert_id == chosen.id:
            items.update(tuple(grouped(item)) for kind, item in matched if kind == "IP_IN_RBL")
    rows = asked(many, "/alerts/stats/aggregated", 2 * len(by_alert), **SPAN, **query)["data"]
    assert [(row["user_alert_id"], row["name"], row["rule_type"], row["count"]) for row in rows] == [
        (alert, names[alert], kind, count)
        for (alert, kind), count in sorted(by_alert.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    days = asked(many, "/alerts/stats/timeseries", 31, **SPAN, **query)["data"]
    assert [row["count"] for row in days] == [by_day[day] for day in range(SINCE // DAY, (UNTIL - 1) // DAY + 1)]
    path = f"/alerts/stats/aggregated/{chosen.id}/IP_IN_RBL"
    rows = asked(many, path, len(items) + 1, **SPAN, **query)["data"]
    assert rows == [
        {**dict(item), "count": count}
        for item, count in sorted(items.items(), key=lambda pair: (-pair[1], str(pair[0])))
    ]
    assert items or "domain" in query


def types_of(entry: Any, query: dict[str, str]) -> list[str]:
    return [rule.type for rule in entry.rules if any(fits(item, query) for item in rule.matchings["items"])]


def fits(item: dict[str, Any], query: dict[str, str]) -> bool:
    addresses = [str(item.get(name, "")) for name in ("ip", "traps_ip")]
    return any(query.get("ip", "") in each for each in addresses) and query.get("domain", "") in item.get("domain", "")


def grouped(item: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in sorted(item.items()) if name != "value")


def date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")


def test_one_asset_among_many_is_asked_about_without_the_others(many: Many) -> None:
    asset = many.assets[AssetKind.IP][-1]
    assert asset.name == IPS[-1]
    before = many.fetched
    answer = many.world.client.post(f"/api/v1.0/ips/{asset.id}/refresh", headers=many.world.ours.headers)
    assert answer.json()["data"][0]["status"] == "WAITING"
    assert many.fetched - before <= 2 * BESIDE
    before, schedule = many.fetched, Schedule(DAY)
    due = many.world.ledger.assets.assets_asked_before(tuple(AssetKind), *schedule.asked_before(NOW))
    assert [one.id for one in due] == [asset.id]
    assert many.fetched - before == 1
