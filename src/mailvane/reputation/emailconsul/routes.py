"""The paths of the EmailConsul API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from mailvane.reputation.emailconsul import (
    alerts,
    dmarc,
    hits,
    listings,
    lookalikes,
    parameters,
    postmaster,
    profiles,
    queries,
    shape,
    snds,
)
from mailvane.reputation.emailconsul.shape import DIALECT, PREFIX
from mailvane.reputation.emailconsul.watched import Watch
from mailvane.reputation.services import ReputationServices
from mailvane.web.endpoints import Endpoint, Function, RouteTable

__all__ = ["DIALECT", "ROUTES"]

_LARGEST_LIST = 4 << 20
_ONE = "/{asset_id:str}"
_ALERT = "/alerts/{alert_id:str}"
_STATS = "/alerts/stats"
_OF_RULE = "/{alert_id:str}/{rule_type:str}"


def _alerts() -> Iterator[Endpoint]:
    body, one = parameters.AlertBody, shape.AlertObject
    yield Endpoint("get", "/alerts", "list_alerts", "All alerts", alerts.listed, shape.Page, query=queries.ALERTS)
    yield Endpoint("post", "/alerts", "create_alert", "A new alert", alerts.create, one, body, 201)
    yield Endpoint("get", _ALERT, "show_alert", "One alert", alerts.show, one)
    yield Endpoint("put", _ALERT, "update_alert", "Change an alert", alerts.update, one, body)
    yield Endpoint("delete", _ALERT, "remove_alert", "Remove an alert", alerts.remove, None)
    yield Endpoint(
        "get",
        f"{_ALERT}/log",
        "alert_log",
        "When an alert fired, and by what",
        alerts.log,
        shape.Page,
        query=queries.ALERT_LOG,
    )
    for name, of_all, of_one, summary in (
        ("aggregated", alerts.aggregated, alerts.aggregated_of, "by what matched"),
        ("timeseries", alerts.timeseries, alerts.timeseries_of, "by day"),
    ):
        yield Endpoint(
            "get",
            f"{_STATS}/{name}",
            name,
            f"How often alerts fired, {summary}",
            of_all,
            shape.Rows,
            query=queries.ALERT_STATISTICS,
        )
        title = f"How often an alert fired, {summary}"
        yield Endpoint(
            "get", f"{_STATS}/{name}{_OF_RULE}", f"{name}_of", title, of_one, shape.Rows, query=queries.ALERT_STATISTICS
        )


def _profiles() -> Iterator[Endpoint]:
    body, one = parameters.ProfileBody, shape.ProfileObject
    path = "/profiles/{profile_id:str}"
    yield Endpoint("get", "/profiles", "list_profiles", "All profiles", profiles.listed, shape.Rows)
    yield Endpoint("post", "/profiles", "add_profile", "A new profile", profiles.add, one, body, 201, refusals=(409,))
    yield Endpoint("put", path, "rename_profile", "Rename a profile", profiles.rename, one, body, refusals=(409,))
    yield Endpoint("delete", path, "remove_profile", "Remove a profile", profiles.remove, None)


def _watched(
    path: str, name: str, what: str, watch: Watch, *, listed: Function | None = None, add: Function | None = None
) -> Iterator[Endpoint]:
    """What can be done with every kind of watched thing."""
    yield Endpoint(
        "get", path, f"list_{name}", f"The {what} that are watched", listed or watch.listed, shape.Page,
        query=queries.watched(watch),
    )  # fmt: skip
    yield Endpoint(
        "post", path, f"add_{name}", f"Watch {what}", add or watch.add, shape.Rows, watch.body, 201,
        largest=_LARGEST_LIST,
    )  # fmt: skip
    yield Endpoint("get", path + _ONE, f"show_{name}", f"One of the {what}", watch.show, shape.Rows)
    yield Endpoint("delete", path + _ONE, f"remove_{name}", f"Watch one of the {what} no longer", watch.remove, None)


def _refreshed(path: str, name: str, what: str, watch: Watch) -> Endpoint:
    return Endpoint("post", f"{path}{_ONE}/refresh", f"refresh_{name}", f"Ask {what} now", watch.refresh, shape.Rows)


def _listings() -> Iterator[Endpoint]:
    for plural, watch in (("ips", listings.IPS), ("domains", listings.DOMAINS)):
        path = f"/{plural}"
        yield from _watched(path, plural, plural, watch)
        yield _refreshed(path, plural, "the blocklists", watch)
        yield Endpoint(
            "post", f"{path}/import", f"import_{plural}", f"Watch {plural} from the first column of a CSV file",
            partial(listings.read_csv, watch), shape.Rows, str, 201, "text/csv", _LARGEST_LIST,
            query=(queries.PROFILE,),
        )  # fmt: skip
        yield Endpoint(
            "get", f"{path}{_ONE}/rbl_changes_log", f"changes_of_{plural}",
            "When it was listed where, and when that ended", partial(listings.changes, watch), dict[str, Any],
        )  # fmt: skip
    for path, name in (("/checkers/rbl_dictionary", "rbl_dictionary"), ("/epc/rbl_dictionary", "rbl_dictionary_new")):
        yield Endpoint(
            "get", path, name, "The blocklists that are asked", listings.dictionary, shape.Rows,
            query=queries.DICTIONARY,
        )  # fmt: skip


def _postmaster() -> Iterator[Endpoint]:
    watch, path = postmaster.GP_DOMAINS, "/gpdomains"
    run, history = "gpdomains_run", "gpdomains_history"
    # Before the paths of one domain, whose id could be spelled so.
    yield Endpoint("post", f"{path}/run", run, "Ask Google now", watch.run, dict[str, Any])
    yield Endpoint("get", f"{path}/history", history, "How Google was asked lately", postmaster.history, shape.Rows)
    yield Endpoint(
        "get", f"{path}/available_count", "gpdomains_count", "How many may be watched", postmaster.available_count,
        dict[str, Any],
    )  # fmt: skip
    yield Endpoint(
        "get", f"{path}/aggregated/delivery_errors_ratio", "gpdomains_errors", "Mean ratio of each delivery error",
        postmaster.delivery_errors, shape.Rows, query=queries.PERIOD,
    )  # fmt: skip
    asked = {"list_gpdomains": queries.GP_DOMAINS, "show_gpdomains": queries.DAYS, "add_gpdomains": queries.DAYS}
    for each in _watched(path, "gpdomains", "domains of Postmaster Tools", watch, listed=postmaster.listed):
        yield replace(each, query=asked.get(each.name, ()))


def _snds() -> Iterator[Endpoint]:
    watch, path = snds.CREDENTIALS, "/snds/creds"
    yield from _watched(path, "snds_creds", "SNDS keys", watch, add=snds.add)
    yield Endpoint(
        "patch", path + _ONE, "change_snds_creds", "Change an SNDS key, or end its use", snds.change, shape.Rows,
        parameters.CredentialsChange,
    )  # fmt: skip
    yield Endpoint("post", "/snds/run", "snds_run", "Ask Microsoft now", watch.run, dict[str, Any])
    sums = queries.SNDS_SUMS
    for name, function, answer, summary, query in (
        ("ip_data", snds.ip_data, shape.Page, "What Microsoft saw of addresses", queries.SNDS_DATA),
        ("ip_status", snds.ip_status, shape.Page, "Which addresses Microsoft blocks", queries.SNDS_STATUS),
        ("aggregated", snds.aggregated, shape.Rows, "What Microsoft saw, summed by address", sums),
        ("aggregated_traps", snds.aggregated_traps, shape.Rows, "Trap hits by address", sums),
    ):
        yield Endpoint("get", f"/snds/{name}", f"snds_{name}", summary, function, answer, query=query)


def _hits() -> Iterator[Endpoint]:
    for path, name, kind, what in (
        ("/traps", "traps", hits.TRAP, "spam traps"),
        ("/honeytoken", "honeytoken", hits.TOKEN, "honeytokens"),
    ):
        log, aggregated = partial(hits.log, kind), partial(hits.aggregated, kind)
        searched = queries.hit(kind)
        found = (*queries.paged(hits.ORDERS), *queries.RECENT, *searched)
        yield Endpoint("get", f"{path}/log", f"{name}_log", f"Mail to {what}", log, shape.Page, query=found)
        yield Endpoint(
            "get", f"{path}/stats/aggregated", f"{name}_aggregated", f"Mail to {what} by `group`", aggregated,
            shape.Rows, query=queries.grouped(kind),
        )  # fmt: skip
        yield Endpoint(
            "get", f"{path}/stats/timeseries", f"{name}_timeseries", f"Mail to {what} by day",
            partial(hits.timeseries, kind), shape.Rows, query=(*queries.RECENT, *searched),
        )  # fmt: skip
    yield from _watched("/traps", "traps", "addresses and domains", hits.TRAPS, add=hits.add_traps)
    yield from _watched("/honeytoken", "honeytoken", "honeytokens", hits.TOKENS, add=hits.add_tokens)
    yield Endpoint(
        "put", f"/honeytoken{_ONE}", "trust_honeytoken", "Say which domains may write to a token", hits.trust,
        shape.Rows, parameters.TrustBody,
    )  # fmt: skip


def _brands() -> Iterator[Endpoint]:
    watch, path = lookalikes.BRANDS, "/lookalike"
    yield from _watched(path, "lookalike", "brands", watch)
    yield _refreshed(path, "lookalike", "who imitates a brand", watch)
    below = f"{path}{_ONE}/lookalikes"
    yield Endpoint(
        "get", below, "lookalikes_of", "Domains that imitate a brand", lookalikes.listed, shape.Page,
        query=queries.LOOKALIKES,
    )  # fmt: skip
    yield Endpoint(
        "patch", f"{below}/{{lookalike_id:str}}", "classify_lookalike", "Say what is thought of a lookalike",
        lookalikes.classify, shape.LookalikeObject, parameters.StateBody,
    )  # fmt: skip


def _dmarc() -> Iterator[Endpoint]:
    watch, path = dmarc.DMARC_DOMAINS, "/dmarc"
    yield from _watched(path, "dmarc", "domains whose reports come here", watch)
    yield _refreshed(path, "dmarc", "DNS for the policy", watch)


_ROWS = [
    *_alerts(), *_profiles(), *_listings(), *_postmaster(), *_snds(), *_hits(), *_brands(), *_dmarc(),
]  # fmt: skip
ROUTES = RouteTable(_ROWS, ReputationServices, DIALECT, ("EmailConsul",), PREFIX)
