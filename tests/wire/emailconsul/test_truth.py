"""Every rule type over HTTP against a truth table: subsets of names, the words for all, profiles, operators.

The table is worked out here from what was said, with nothing of the product's code but the names of its kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any

import pytest

from mailvane.reputation.alerts.rules import CATALOGUE
from mailvane.reputation.model import LOOKED_AT, SOURCE_OF, AssetKind, ObservationKind, Source
from tests.depth import thinned
from tests.wire.emailconsul.asking import DAY, HOUR, get, post, said, send
from tests.wire.emailconsul.examples import EXAMPLES
from tests.wire.world import MASTER, NOW, World, opened

Facts = Mapping[str, Any]
IPS = ("192.0.2.1", "192.0.2.2", "2001:db8::3")
DOMAINS = ("one.example", "two.example", "three.example")
TOKENS = tuple(f"token@{domain}" for domain in DOMAINS)
WORDS = ("ALL_IPS", "ALL_DOMAINS", "ALL_GP_DOMAINS", "ALL_GP_IPS", "ALL_SNDS_IPS", "ALL_TRAPS_IPS", "ALL_TRAPS_DOMAINS")
HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "eq": lambda told, value: told == value,
    "gt": lambda told, value: told > value,
    "gte": lambda told, value: told >= value,
    "lt": lambda told, value: told < value,
    "lte": lambda told, value: told <= value,
}
DAYS = {"ONE_DAY": 1, "ONE_WEEK": 7, "ONE_MONTH": 30, "ONE_YEAR": 365}

ZONES = {0: ("bl.one", "bl.two"), 1: ("bl.two",), 2: ()}  # what lists the first, the second and the third
SHARES = (0.1, 0.5, 0.9)
PERCENTS = (1, 50, 99)
TRAP_COUNTS = (1, 2, 0)
REPUTATIONS = ("BAD", "LOW", "HIGH")
COLOURS = ("RED", "YELLOW", "GREEN")
COUNTS = (((1, 2),), ((1, 1), (72, 4)), ((480, 8),))  # hours ago and how many, of each
AGES = (0.5, 20, 400)  # days since a date of each one's lookalike
RATIOS = {
    "GP_USER_REPORTED_SPAM_RATIO": "userReportedSpamRatio",
    "GP_SPF_SUCCESS_RATIO": "spfSuccessRatio",
    "GP_DKIM_SUCCESS_RATIO": "dkimSuccessRatio",
    "GP_DMARC_SUCCESS_RATIO": "dmarcSuccessRatio",
    "GP_INBOUND_ENCRYPTION_RATIO": "inboundEncryptionRatio",
    "GP_OUTBOUND_ENCRYPTION_RATIO": "outboundEncryptionRatio",
}
KINDS = [*(str(example["type"]) for example in EXAMPLES), "MV_TLS_FAILURE"]
FAILURES = ("spf_fail", "dkim_fail", "dmarc_fail", "spf_alignment_fail", "dkim_alignment_fail")


@dataclass(frozen=True)
class Told:
    """The server, and the profiles: the first of everything is in one, the second in another, the third in none."""

    world: World
    profiles: Sequence[str | None]

    def places(self, profile: str | None) -> set[int]:
        """Which of three are meant by all, in an alert of this profile."""
        return {0, 1, 2} if profile is None else {self.profiles.index(profile)}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    directory: Path = tmp_path_factory.mktemp("truth")
    with opened(directory) as world:
        profiles = [str(post(world, "/profiles", {"name": name})["id"]) for name in ("first", "second")]
        found = Told(world, [*profiles, None])
        watch(found)
        speak(world)
        yield found


def watch(told: Told) -> None:
    kinds = (
        ("/ips", "ip", IPS),
        ("/honeytoken", "email", TOKENS),
        ("/traps", "ip", IPS),
        ("/traps", "domain", DOMAINS),
    )
    by_domain = (("/domains", "domain"), ("/gpdomains", "domain"), ("/lookalike", "domain"), ("/dmarc", "domain"))
    for path, field, names in (*kinds, *((path, field, DOMAINS) for path, field in by_domain)):
        for name, profile in zip(names, told.profiles, strict=True):
            post(told.world, path, {field: name, "profile_id": profile})
    operator = {"X-API-KEY": MASTER, "X-Workspace-Id": str(told.world.ours.workspace.id)}
    for trap in get(told.world, "/traps")["data"]:
        path = f"/mailvane/v1/traps/{trap['id']}/approve"
        assert told.world.client.post(path, headers=operator).is_success


def speak(world: World) -> None:
    """What the sources say of each of the three."""
    for place, (ip, domain, token) in enumerate(zip(IPS, DOMAINS, TOKENS, strict=True)):
        for zone in ZONES[place]:
            said(world, ObservationKind.IP_LISTING, (AssetKind.IP, ip), {"listed": True}, key=zone)
            said(world, ObservationKind.DOMAIN_LISTING, (AssetKind.DOMAIN, domain), {"listed": True}, key=zone)
        day: dict[str, Any] = dict.fromkeys(RATIOS.values(), SHARES[place])
        day["domainReputation"] = REPUTATIONS[place]
        day["ipReputations"] = [{"reputation": REPUTATIONS[place], "sampleIps": [ip]}]
        day["deliveryErrors"] = [{"errorClass": "reject", "errorType": "spam", "errorRatio": SHARES[place]}]
        said(world, ObservationKind.TRAFFIC, (AssetKind.GP_DOMAIN, domain), day, at=NOW - DAY)
        microsoft = {
            "filter_result": COLOURS[place], "bounce_rate": PERCENTS[place], "complaint_rate": PERCENTS[place],
            "trap_hits": TRAP_COUNTS[place],
        }  # fmt: skip
        said(world, ObservationKind.SNDS_DATA, (AssetKind.SNDS, ip), microsoft, at=NOW - DAY)
        moment = NOW - int(AGES[place] * DAY)
        dates = {"reg_created_date": moment, "reg_updated_date": moment}
        said(world, ObservationKind.LOOKALIKE, (AssetKind.LOOKALIKE, domain), dates, key=f"l{domain}")
        for number in range(TRAP_COUNTS[place]):
            mail = {"ip": ip, "domain_from": domain}
            said(world, ObservationKind.TRAP_HIT, (AssetKind.TRAP, ip), mail, key=f"{place}{number}", at=NOW - HOUR)
        for hours, count in COUNTS[place]:
            counts = {"messages": 10, **dict.fromkeys(FAILURES, count)}
            kind = (AssetKind.DMARC, domain)
            said(world, ObservationKind.DMARC, kind, counts, key=f"r{hours}", at=NOW - hours * HOUR)
            sessions = {"succeeded": 5, "failed": count}
            said(world, ObservationKind.TLS, kind, sessions, key=f"r{hours}", at=NOW - hours * HOUR)
            for number in range(count):
                leak = {"domain": f"from.{domain}"}
                where = (AssetKind.HONEYTOKEN, token)
                said(
                    world,
                    ObservationKind.HONEYTOKEN_HIT,
                    where,
                    leak,
                    key=f"{place}-{hours}-{number}",
                    at=NOW - hours * HOUR,
                )


def subsets(names: Sequence[str]) -> Iterator[list[str]]:
    for size in range(1, len(names) + 1):
        yield from map(list, combinations(names, size))


def lists_of(names: Sequence[str]) -> list[list[str]]:
    """Every subset, every word for all, a word beside a name, and one name in another spelling."""
    other = "2001:DB8:0::3" if names is IPS else "Three.EXAMPLE."
    return [*subsets(names), *([word] for word in WORDS), [names[0], WORDS[0]], [other]]


def places_of(given: Iterable[str], names: Sequence[str]) -> set[int] | None:
    """Which of the three are named; None: all."""
    return None if set(given) & set(WORDS) else named_beside(given, names)


def named_beside(given: Iterable[str], names: Sequence[str]) -> set[int]:
    """Which of the three are named, whatever words stand beside."""
    normalized = {"2001:DB8:0::3": IPS[2], "Three.EXAMPLE.": DOMAINS[2]}
    return {names.index(normalized.get(name, name)) for name in given if name not in WORDS}


Case = tuple[dict[str, Any], str | None, set[Any]]  # a rule, the alert's profile, and what must be told


def about_listings(told: Told, kind: str, field: str, names: Sequence[str]) -> Iterator[Case]:
    for given, profile, zones in product(
        lists_of(names), (*told.profiles[:2], None), (["bl.one"], ["bl.two", "BL.ONE"], ["bl.none"])
    ):
        named = places_of(given, names)
        wanted = {zone.lower() for zone in zones}
        places = told.places(profile) | named_beside(given, names) if named is None else named
        expected = {(names[place], zone) for place in places for zone in ZONES[place] if zone in wanted}
        yield {"type": kind, field: given, "rbls": zones}, profile, expected


def about_reputations(told: Told, kind: str, names: Sequence[str]) -> Iterator[Case]:
    field, chosen_by = {
        "GP_DOMAIN_REPUTATION": ("gp_domains", "gp_domain_reputations"),
        "GP_IP_REPUTATION": ("gp_ips", "gp_ip_reputations"),
        "SNDS_FILTER_RESULT": ("snds_ips", "snds_filter_result"),
    }[kind]
    values = COLOURS if kind.startswith("SNDS") else REPUTATIONS
    for given, profile, chosen in product(lists_of(names), (*told.profiles[:2], None), list(subsets(values))[::2]):
        named = places_of(given, names)
        seen = told.places(profile)
        places = {
            "GP_DOMAIN_REPUTATION": seen | named_beside(given, names) if named is None else named,
            "GP_IP_REPUTATION": seen & ({0, 1, 2} if named is None else named),
            "SNDS_FILTER_RESULT": seen | named_beside(given, names) if named is None else named,
        }[kind]
        yield (
            {"type": kind, field: given, chosen_by: chosen},
            profile,
            {names[place] for place in places if values[place] in chosen},
        )


def about_traps(told: Told, kind: str, field: str, names: Sequence[str]) -> Iterator[Case]:
    for given, profile in product(lists_of(names), (*told.profiles[:2], None)):
        named = places_of(given, names)
        places = told.places(profile) & ({0, 1, 2} if named is None else named)
        expected = {(names[place], TRAP_COUNTS[place]) for place in places if TRAP_COUNTS[place]}
        yield {"type": kind, field: given}, profile, expected


def about_numbers(told: Told, kind: str, names: Sequence[str], values: Sequence[float]) -> Iterator[Case]:
    for how, value, profile in product(HOLDS, (*values, 0), (*told.profiles[:2], None)):
        expected = {names[place] for place in told.places(profile) if HOLDS[how](values[place], value)}
        yield {"type": kind, kind.lower(): {"value": value, "operator": how}}, profile, expected


def about_counts(told: Told, kind: str, names: Sequence[str]) -> Iterator[Case]:
    """Nothing is told of what nobody reported at all."""
    for how, value, profile, stretch in product(HOLDS, (0, 2, 5), (*told.profiles[:2], None), list(DAYS)[:3]):
        expected = set()
        for place in told.places(profile):
            heard = [count for hours, count in COUNTS[place] if hours < 24 * DAYS[stretch]]
            if heard and HOLDS[how](sum(heard), value):
                expected.add(names[place])
        yield {"type": kind, kind.lower(): {"value": value, "operator": how, "time_range": stretch}}, profile, expected


def about_ages(told: Told, kind: str) -> Iterator[Case]:
    for how, stretch, profile in product(("lt", "gt"), DAYS, (*told.profiles[:2], None)):
        expected = {
            (DOMAINS[place], f"l{DOMAINS[place]}")
            for place in told.places(profile)
            if HOLDS[how](AGES[place], DAYS[stretch])
        }
        yield {"type": kind, kind.lower(): {"value": stretch, "operator": how}}, profile, expected


def cases(told: Told, kind: str) -> Iterator[Case]:
    if kind.endswith("_IN_RBL"):
        return about_listings(told, kind, *(("ips", IPS) if kind.startswith("IP") else ("domains", DOMAINS)))
    if kind.endswith("REPUTATION") or kind == "SNDS_FILTER_RESULT":
        return about_reputations(told, kind, DOMAINS if kind == "GP_DOMAIN_REPUTATION" else IPS)
    if kind.startswith("TRAPS"):
        return about_traps(told, kind, *(("traps_ips", IPS) if kind == "TRAPS_IP" else ("traps_domains_from", DOMAINS)))
    if kind.startswith("LOOKALIKE"):
        return about_ages(told, kind)
    if kind.startswith(("DMARC", "MV_TLS")):
        return about_counts(told, kind, DOMAINS)
    if kind.startswith("HONEYTOKEN"):
        return about_counts(told, kind, [f"from.{domain}" for domain in DOMAINS])
    if kind.startswith("SNDS"):
        return about_numbers(told, kind, IPS, TRAP_COUNTS if kind == "SNDS_TRAP_HITS" else PERCENTS)
    return about_numbers(told, kind, DOMAINS, SHARES)


def told_of(item: Facts, kind: str) -> Any:
    """What an item names, as the table has it."""
    if kind.endswith("_IN_RBL"):
        return item.get("ip") or item["domain"], item["rbl"]
    if kind.startswith("TRAPS"):
        return item.get("traps_ip") or item["traps_domain_from"], item["value"]
    if kind.startswith("LOOKALIKE"):
        return item["domain"], item["lookalike"]
    return item.get("ip") or item["domain"]


def logged(told: Told, alert: str, kind: str) -> list[set[Any]]:
    """What was said by this alert, the newest first."""
    entries = get(told.world, f"/alerts/{alert}/log")["data"]
    return [{told_of(item, kind) for item in entry["rules"][0]["matchings"]["items"]} for entry in entries]


def test_no_rule_type_is_left_out() -> None:
    # They tell of a change: tests/contract/test_listing_ended.py, test_dmarc_senders.py
    ends = {"MV_IP_LISTING_ENDED", "MV_DOMAIN_LISTING_ENDED", "MV_NEW_DMARC_SENDER"}
    # They tell of this server's own things: tests/contract/test_own_facts.py, test_mail_rules.py
    own = {name for name, rule in CATALOGUE.items() if SOURCE_OF[rule.READS] in LOOKED_AT}
    assert set(CATALOGUE) - ends - own == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_it_tells_of_what_it_names_and_of_nothing_else(told: Told, kind: str) -> None:
    """Each case twice: as a new alert, and as what a silent one is changed to."""
    hook = {"name": kind, "webhook_url": "https://hooks.example/x"}
    wrong = []
    other = next(each for each in KINDS if each != kind)
    silent = next(rule for rule, _, expected in cases(told, other) if not expected)
    for number, (rule, profile, expected) in enumerate(thinned(cases(told, kind), 5)):
        body = {**hook, "rules": [rule], "profile_id": profile}
        if number % 2:
            alert = post(told.world, "/alerts", body)["id"]
        else:
            alert = post(told.world, "/alerts", {**hook, "rules": [silent]})["id"]
            send(told.world, "PUT", f"/alerts/{alert}", body)
        found = logged(told, alert, kind)
        if found != ([expected] if expected else []):
            wrong.append((rule, profile, found, expected))
    assert wrong == []


def test_a_later_round_over_all_of_them_fails_for_none(told: Told) -> None:
    for kind in KINDS:
        for rule, profile, _ in thinned(cases(told, kind), 17):
            post(told.world, "/alerts", {"name": kind, "rules": [rule], "profile_id": profile})
    alerting = told.world.services.reputation.alerting
    done = alerting.evaluate(told.world.ours.workspace.id, tuple(Source), NOW + 1)
    assert (done.failing, done.fired) == ({}, 0)
    assert done.alerts >= len(KINDS)
    assert "error" not in set(chain.from_iterable(get(told.world, "/alerts", limit=1000)["data"]))
