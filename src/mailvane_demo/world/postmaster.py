"""Google's Postmaster Tools of the simulated world: a token server, and the statistics of two domains, day by day.

Written from Google's description of the second interface, apart from the code that asks it: the two check each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import parse_qs

import msgspec

from mailvane_demo.world.incidents import Incidents
from mailvane_demo.world.web_server import Reply, Request, json

TOKEN_PATH = "/token"  # noqa: S105 - a path
_REFRESH_TOKEN = "demo-refresh-token"  # noqa: S105 - of a world that ends with the process
_ACCESS_TOKEN = "demo-access-token"  # noqa: S105
_QUERY = re.compile(r"/v2/domains/([^/]+)/domainStats:query")
_DAY = 86_400_000
_DELAY_DAYS = 2
_PAGE = 200
_WORSE = {1: 0.86, 0: 0.58}  # the SPF ratio of the bad days, by how long before the last of them
_USUAL = {
    ("AUTH_SUCCESS_RATE", "spf"): (0.985, 0.998),
    ("AUTH_SUCCESS_RATE", "dkim"): (0.990, 0.999),
    ("AUTH_SUCCESS_RATE", "dmarc"): (0.980, 0.997),
    ("TLS_ENCRYPTION_RATE", "inbound"): (0.999, 1.0),
    ("TLS_ENCRYPTION_RATE", "outbound"): (0.997, 1.0),
    ("SPAM_RATE", ""): (0.0004, 0.0012),
}
_ERRORS = {"reject spammy_content": (0.001, 0.004), "temp_fail anomalous_traffic_pattern": (0.002, 0.008)}
_QUOTED = re.compile(r'"([^"]*)"')


def credentials(url: str) -> bytes:
    """A file by which a user's consent is proven."""
    return msgspec.json.encode(
        {
            "type": "authorized_user",
            "client_id": "demo",
            "client_secret": "demo-client-secret",
            "refresh_token": _REFRESH_TOKEN,
            "token_uri": f"{url}{TOKEN_PATH}",
        }
    )


class Postmaster:
    """Answers web requests. The SPF record of the `broken` domain lost one of its senders lately."""

    def __init__(self, seed: int, domains: Sequence[str], broken: str, incidents: Incidents) -> None:
        self._seed = seed
        self._domains = frozenset(domains)
        self._broken = broken
        self._incidents = incidents

    def __call__(self, request: Request) -> Reply:
        if request.path == TOKEN_PATH:
            return _token(request)
        if request.headers.get("authorization") != f"Bearer {_ACCESS_TOKEN}":
            return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        asked = _QUERY.fullmatch(request.path)
        if asked is None or asked[1] not in self._domains:
            return _error(403, "PERMISSION_DENIED", "The caller does not have permission for this domain.")
        try:
            body = msgspec.json.decode(request.body)
            rows = list(self._rows(asked[1], body, request.at))
            begin = int(body.get("pageToken") or 0)
        except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError):
            return _error(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
        end = begin + min(int(body.get("pageSize") or _PAGE), _PAGE)
        more = {"nextPageToken": str(end)} if end < len(rows) else {}
        return json({"domainStats": rows[begin:end], **more})

    def _rows(self, domain: str, body: Mapping[str, Any], now: int) -> Iterator[dict[str, Any]]:
        for metric in body["metricDefinitions"]:
            standard = metric["baseMetric"]["standardMetric"]
            subject = " ".join(_QUOTED.findall(metric.get("filter", "")))
            for date in body["timeQuery"]["dateList"]["dates"]:
                day = int(datetime(date["year"], date["month"], date["day"], tzinfo=UTC).timestamp()) * 1000
                value = self._value(domain, standard, subject, (day, now))
                if value is not None:
                    row = {"name": f"domains/{domain}/domainStats/{day}", "metric": metric["name"], "date": date}
                    yield row | {"value": {"doubleValue": value}}

    def _value(self, domain: str, standard: str, subject: str, moment: tuple[int, int]) -> float | None:
        day, now = moment
        published = self._incidents.published_at
        last = _complete(published)  # the bad day; those after it are good ones again
        if day > _complete(now) or (day >= last and now < published):
            return None
        if domain == self._broken and (standard, subject) == ("AUTH_SUCCESS_RATE", "spf"):
            worse = _WORSE.get((last - day) // _DAY)
            if worse is not None:
                return worse
        span = _ERRORS.get(subject) if standard == "DELIVERY_ERROR_RATE" else _USUAL.get((standard, subject))
        if span is None:
            return None
        random = Random(f"{self._seed} postmaster {domain} {standard} {subject} {day}")  # noqa: S311 a world
        return round(random.uniform(*span), 4)


def _complete(now: int) -> int:
    """The beginning of the newest day that data are there of."""
    return (now // _DAY - _DELAY_DAYS) * _DAY


def _token(request: Request) -> Reply:
    given = parse_qs(request.body.decode("ascii", "replace"))
    if given.get("refresh_token") != [_REFRESH_TOKEN]:
        return json({"error": "invalid_grant", "error_description": "Bad Request"}, 400)
    return json({"access_token": _ACCESS_TOKEN, "expires_in": 3599, "token_type": "Bearer"})


def _error(status: int, word: str, message: str) -> Reply:
    return json({"error": {"code": status, "message": message, "status": word}}, status)
