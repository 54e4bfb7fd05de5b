"""A tenant that has one of everything, and the OpenAPI document with the ids of those things as its examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.installation import Installation
from tests.waiting import PATIENCE

PREFIX = "/api/v1.0"
OURS = "/mailvane/v1"
WATCHED: dict[str, dict[str, Any]] = {
    "/ips": {"ip": "198.51.100.{n}"},
    "/domains": {"domain": "watched{n}.example"},
    "/gpdomains": {"domain": "mail{n}.example"},
    "/snds/creds": {"key": "0123456789abcdef-{n}", "name": "of {n}"},
    "/traps": {"ip": "203.0.113.{n}"},
    "/honeytoken": {"email": "token{n}@shop.example"},
    "/lookalike": {"domain": "brand{n}.example"},
    "/dmarc": {"domain": "reported{n}.example"},
}
_RULE = {"type": "IP_IN_RBL", "ips": ["198.51.100.{n}"], "rbls": ["HIGH_REPUTATION"]}
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    f"{PREFIX}/profiles": ("profile_id", {"name": "profile {n}"}),
    f"{PREFIX}/alerts": ("alert_id", {"name": "alert {n}", "rules": [_RULE]}),
    f"{OURS}/maintenance-windows": ("window_id", {"since": 4_000_000_000_000, "until": 4_000_000_100_000}),
    f"{OURS}/slack-integrations": ("integration_id", {"name": "slack {n}", "url": "https://hooks.example/{n}"}),
}


_BODIES: dict[str, dict[str, Any]] = {
    **{f"{PREFIX}{path}": body for path, body in WATCHED.items()},
    **{path: body for path, (_, body) in OTHERS.items()},
    "/domains": {"name": "domain{n}.example"},
}
Headers = dict[str, str | None]  # None: not even where one is sent otherwise


@dataclass(frozen=True)
class Tenant:
    """Ids by path and name of the parameter: of what stays, and of what may be removed."""

    keys: Mapping[str, Headers]
    kept: Mapping[tuple[str, str], str]
    doomed: Mapping[tuple[str, str], str]

    def example(self, method: str, path: str, name: str) -> str | None:
        known = self.doomed if method == "delete" else self.kept
        return next((each for (where, of), each in known.items() if of == name and path.startswith(where)), None)


def settled(installation: Installation) -> Tenant:
    """On a server that runs."""
    relay, token = installation.tenant("acme")
    platform = installation.answer("key", "create", "--kind", "platform")["token"]
    master = (Path(installation.environment["MAILVANE_DATA"]) / "master-token").read_text().strip()
    with httpx.Client(base_url=installation.url, headers={"X-API-KEY": token}, timeout=PATIENCE) as client:
        kept, doomed = (_made(client, number, master) for number in (1, 2))
        _mail(client)
    kept[("/mail/", "order_id")] = str(relay)
    keys: dict[str, Headers] = {
        "workspace": {"X-API-KEY": token},
        "nobody": {"X-API-KEY": None},
        "stranger": {"X-API-KEY": "sk_of_nobody"},
        "client": {"X-API-KEY": kept[("/api-keys/", "token")]},
        "platform": {"X-API-KEY": None, "Authorization": f"Bearer {platform}"},
        "master": {"X-API-KEY": master},
        "master of the workspace": {"X-API-KEY": master, "X-Workspace-Id": "1"},
    }
    return Tenant(keys, kept, doomed)


def _made(client: httpx.Client, number: int, master: str) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for path, body in WATCHED.items():
        told = _posted(client, f"{PREFIX}{path}", _numbered(body, number))
        found[f"{PREFIX}{path}/", "asset_id"] = told["data"][0]["id"]
    for path, (name, body) in OTHERS.items():
        kind = OURS if name == "alert_id" else path  # an alert is named in both interfaces
        found[f"{path}/", name] = _posted(client, path, _numbered(body, number))["id"]
        found[f"{kind}/", name] = found[f"{path}/", name]
    name = "shop.example" if number == 1 else "closed.example"
    _posted(client, "/domains", {"name": name})
    found["/domains/", "name"] = found[f"{OURS}/domains/", "name"] = name
    token = found["/api-keys/", "token"] = f"client-key-of-acme-{number:020}"
    terms = {"token": token, "partner_ref": "acme", "domains_allowed": 50}
    _posted(client, "/api-keys", terms, {"X-API-KEY": master})
    return found


def _posted(client: httpx.Client, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
    answer = client.post(path, json=body, headers=headers)
    assert answer.status_code == httpx.codes.CREATED, (path, answer.text)
    return answer.json()


def _numbered(body: dict[str, Any], number: int) -> Any:
    return json.loads(json.dumps(body).replace("{n}", str(number)))


def _mail(client: httpx.Client) -> None:
    event = {"id": "one", "type": "accepted", "mail": "one", "accepted_at": 1_793_000_000_000}
    event |= {"time": "2026-10-26T03:04:05Z", "recipient": "a@isp.example"}
    taken = client.post(f"{OURS}/events", content=json.dumps(event), headers={"Content-Type": "application/x-ndjson"})
    assert taken.status_code == httpx.codes.OK, taken.text


def completed(document: dict[str, Any], tenant: Tenant) -> dict[str, Any]:
    """The document with what exists as examples; keys and the workspace are the test's affair."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            operation.pop("security", None)
            told = [each for each in operation["parameters"] if each["name"] != "X-Workspace-Id"]
            for each in told:
                if each["in"] == "path" and (example := tenant.example(method, path, each["name"])):
                    each["example"] = example
            operation["parameters"] = told
            if method == "post" and path in _BODIES:
                for content in operation["requestBody"]["content"].values():
                    content["example"] = _numbered(_BODIES[path], 3)
    document.pop("security")
    document["components"].pop("securitySchemes")
    return document
