"""A server that speaks as Google's token server and Postmaster Tools do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.unit.reputation.sources.vendor_server import Asked, Said, VendorServer

REFRESH_TOKEN, CLIENT_SECRET = "1//refresh-me", "hush-hush"


class Google:
    """`days` maps (domain, metric with filter, date) to a value; whatever has none has no row."""

    def __init__(self, days: Mapping[tuple[str, str, str], Any]) -> None:
        self.days = dict(days)
        self.page_size = 200
        self.tokens = 0
        self.grants: list[dict[str, list[str]]] = []
        self.good_tokens: set[str] = set()
        self.trouble: dict[str, Said] = {}  # by domain, or "token"
        self.queries: list[dict[str, Any]] = []
        self.server = VendorServer(self.answer)

    def answer(self, asked: Asked) -> Said:
        if asked.path == "/token":
            return self._token(asked)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.good_tokens:
            return self.error(401, "Request had invalid authentication credentials.")
        domain = asked.path.removeprefix("/v2/domains/").removesuffix("/domainStats:query")
        if domain in self.trouble:
            return self.trouble[domain]
        body = msgspec.json.decode(asked.body)
        self.queries.append(body)
        return self._page(domain, body)

    def _token(self, asked: Asked) -> Said:
        if "token" in self.trouble:
            return self.trouble["token"]
        self.grants.append(parse_qs(asked.body.decode()))
        self.tokens += 1
        token = f"token-{self.tokens}"
        self.good_tokens.add(token)
        return self.json({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    def _page(self, domain: str, body: Any) -> Said:
        rows = [
            {"name": f"domains/{domain}/domainStats/x", "metric": metric["name"], "date": day, "value": value}
            for metric in body["metricDefinitions"]
            for day in body["timeQuery"]["dateList"]["dates"]
            if (value := self._value(domain, metric, day)) is not None
        ]
        begin = int(body.get("pageToken") or 0)
        end = begin + self.page_size
        return self.json({"domainStats": rows[begin:end], **({"nextPageToken": str(end)} if end < len(rows) else {})})

    def _value(self, domain: str, metric: Any, day: Any) -> Any:
        asked = " ".join(filter(None, (metric["baseMetric"]["standardMetric"], metric.get("filter"))))
        return self.days.get((domain, asked, "{year}-{month:02}-{day:02}".format(**day)))

    @staticmethod
    def json(told: Any, status: int = 200) -> Said:
        return Said(msgspec.json.encode(told), status, {"Content-Type": "application/json"})

    @classmethod
    def error(cls, status: int, message: str) -> Said:
        return cls.json({"error": {"code": status, "message": message, "status": "X"}}, status)


def service_account(url: str, path: Path) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    told = {
        "type": "service_account",
        "client_email": "robot@us.example",
        "private_key": pem,
        "token_uri": f"{url}/token",
    }
    path.write_bytes(msgspec.json.encode(told))
    return str(path)


def authorized_user(url: str, path: Path) -> str:
    told = {
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
        "token_uri": f"{url}/token",
    }
    path.write_bytes(msgspec.json.encode(told))
    return str(path)
