"""`mailvane mcp`, driven by the official client: what a model is told, and that it is never of another workspace."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from mailvane.core.identifiers import new_id
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind
from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import COMMAND, HTTP, Installation
from tests.ports import free_port
from tests.waiting import PATIENCE, wait_for

READING = {
    *("search_mail", "count_mail", "explain_mail", "mail_figures", "list_domains", "what_if", "reputation"),
    *("list_alerts", "alert_log"),
}
WRITES = ("acknowledge_alert", "snooze_alert", "set_domain_limits")
Ask = Callable[[Client], Coroutine[Any, Any, Any]]


class World:
    """A server with two workspaces that know nothing of each other, and an MCP server beside it."""

    def __init__(self, installation: Installation, url: str) -> None:
        self.installation = installation
        self.url = url
        self.keys: dict[str, str] = {}
        self.ids: dict[str, int] = {}

    def ask(self, key: str, asking: Ask) -> Any:
        async def run() -> Any:
            headers = {"Authorization": f"Bearer {key}"}
            async with (
                httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http,
                Client(streamable_http_client(self.url, http_client=http)) as client,
            ):
                return await asking(client)

        return asyncio.run(run())

    def call(self, key: str, tool: str, **arguments: Any) -> Any:
        """What a tool answers; what it says where it refuses."""
        return self.ask(key, lambda client: called(client, tool, arguments))


async def called(client: Client, tool: str, arguments: dict[str, Any]) -> Any:
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        return result.content[0].text  # type: ignore[union-attr]
    return result.structured_content


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def events(name: str, mails: int) -> str:
    now = int(time.time())
    told = []
    for number in range(mails):
        about: dict[str, Any] = {"mail": f"{name}-{number}", "recipient": f"r{number}@{name}-customer.example"}
        about |= {"sender": f"news@{name}.example", "accepted_at": now - 600, "queue_id": f"{name}{number}"}
        told.append({**about, "id": f"a{name}{number}", "type": "accepted", "time": now - 600, "subject": f"To {name}"})
        reply = {"code": 550, "reply": f"550 5.1.1 no such user at {name} " + "x" * 3000, "family": "unknown_user"}
        kind = {"type": "bounced", **reply} if number % 2 else {"type": "delivered", "code": 250}
        told.append({**about, "id": f"b{name}{number}", "time": now - 500, **kind})
    return "\n".join(map(json.dumps, told))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    installation = Installation(tmp_path_factory.mktemp("mcp"))
    writes = ", ".join(f'"{name}"' for name in WRITES)
    (installation.data / "mailvane.toml").write_text(f"[mcp]\nwrites = [{writes}]\nmost_characters = 20000\n")
    port = free_port()
    found = World(installation, f"http://127.0.0.1:{port}/mcp")
    for name in ("ours", "theirs"):
        _, found.keys[name] = installation.tenant(name)
    with installation.serving():
        for name, key in found.keys.items():
            fill(found, name, key)
        with installation.running("mcp", "--listen", f"127.0.0.1:{port}"):
            wait_for(lambda: answers(port), installation.said)
            yield found


def fill(world: World, name: str, key: str) -> None:
    """Mail, a domain and an alert that fired, each of which names the workspace."""
    url, headers = world.installation.url, {"X-API-KEY": key, "Content-Type": "application/x-ndjson"}
    HTTP.post(f"{url}/mailvane/v1/events", headers=headers, content=events(name, 40)).raise_for_status()
    now = time.time_ns() // 1_000_000
    ledger = open_ledger(f"sqlite:///{world.installation.data / 'ledger.sqlite'}")
    workspace = next(each.id for each in ledger.tenants.workspaces() if each.name == name)
    world.ids[name] = workspace
    listing = {"listed": True, "codes": ["127.0.0.2"], "reason": f"of {name}"}
    asset = Asset(
        id=new_id(), workspace=workspace, kind=AssetKind.IP, name=f"192.0.2.{workspace}", created_at=now, asked_at=now
    )
    ledger.assets.add_assets([asset])
    ledger.observations.observe(
        workspace,
        [
            Observation(
                kind=ObservationKind.IP_LISTING, asset=f"192.0.2.{workspace}", key=f"{name}.dnsbl.example",
                at=now - 60_000, seen_at=now - 60_000, confirmed_at=now, data=listing,
            )
        ],
    )  # fmt: skip
    ledger.close()
    rule = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": [f"{name}.dnsbl.example"]}
    alert = {"name": f"Alert of {name}", "rules": [rule]}
    HTTP.post(f"{url}/api/v1.0/alerts", headers={"X-API-KEY": key}, json=alert).raise_for_status()
    world.installation.run("domain", "create", f"{name}.example", "--workspace", name)


def test_only_what_the_settings_name_is_offered_besides_reading(world: World) -> None:
    async def names(client: Client) -> set[str]:
        tools = (await client.list_tools()).tools
        reading = {tool.name for tool in tools if tool.annotations and tool.annotations.read_only_hint}
        assert reading == READING
        return {tool.name for tool in tools}

    assert world.ask(world.keys["ours"], names) == READING | set(WRITES)


def test_mail_is_searched_counted_and_explained(world: World) -> None:
    key = world.keys["ours"]
    found = world.call(key, "search_mail", query="is:bounced to:ours-customer.example", limit=3)
    assert found["total"] == 20
    assert [row["why"] for row in found["rows"]] == ["unknown_user"] * 3
    assert world.call(key, "count_mail", query="", by="family")["rows"][0]["count"] == 20
    life = world.call(key, "explain_mail", mail=found["rows"][0]["mail_id"])
    assert [row["event"] for row in life["rows"]] == ["accepted", "bounced"]
    assert world.call(key, "explain_mail", mail="ours1")["rows"][0]["subject"] == "To ours"
    figures = world.call(key, "mail_figures", window="24h")
    assert (figures["accepted"], figures["senders"]) == (40, {"news@ours.example": 40})


def test_reputation_and_alerts_come_with_their_evidence(world: World) -> None:
    key = world.keys["ours"]
    assert [row["blocklist"] for row in world.call(key, "reputation")["rows"]] == ["ours.dnsbl.example"]
    (entry,) = world.call(key, "alert_log")["rows"]
    assert entry["evidence"][0]["rule"] == "IP_IN_RBL"
    assert entry["evidence"][0]["items"][0]["rbl"] == "ours.dnsbl.example"
    assert [row["name"] for row in world.call(key, "list_alerts")["rows"]] == ["Alert of ours"]


def test_an_answer_is_bounded_and_says_what_it_left_out(world: World) -> None:
    found = world.call(world.keys["ours"], "search_mail", query="answer:user", limit=1000)
    assert len(json.dumps(found)) < 20_000
    assert len(found["rows"]) + found.get("left_out", 0) == found["total"] == 20
    assert all(len(row["answer"]) < 700 for row in found["rows"])


def test_nobody_hears_of_another_workspace(world: World) -> None:
    """Whatever is asked for, by whatever argument: words of the other workspace are in no answer."""
    ours, theirs = world.keys["ours"], world.keys["theirs"]
    mail = world.call(theirs, "search_mail", query="", limit=1)["rows"][0]["mail_id"]
    entry = world.call(theirs, "alert_log")["rows"][0]
    other = world.ids["theirs"]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("search_mail", {"query": "from:theirs.example"}),
        ("search_mail", {"query": f"id:{mail}"}),
        ("search_mail", {"query": "", "workspace": other}),
        ("search_mail", {"query": f"relay:{other}"}),
        ("search_mail", {"query": f"-relay:{world.ids['ours']}"}),
        ("count_mail", {"query": "theirs", "by": "sender_domain"}),
        ("count_mail", {"query": "", "by": "recipient_domain", "workspace_id": other}),
        ("explain_mail", {"mail": mail}),
        ("explain_mail", {"mail": "theirs1"}),
        ("mail_figures", {"window": "all", "workspace": "theirs"}),
        ("list_domains", {"workspace": "theirs"}),
        ("what_if", {"domain": "theirs.example", "daily": 1}),
        ("reputation", {"workspace": other}),
        ("list_alerts", {}),
        ("alert_log", {"alert_id": entry["alert_id"]}),
        ("acknowledge_alert", {"entry_id": entry["entry_id"]}),
        ("snooze_alert", {"alert_id": entry["alert_id"], "hours": 1}),
        ("set_domain_limits", {"domain": "theirs.example", "daily": 1}),
    ]

    async def all_of_them(client: Client) -> list[Any]:
        return [await called(client, tool, arguments) for tool, arguments in asked]

    for (tool, arguments), answer in zip(asked, world.ask(ours, all_of_them), strict=True):
        told = {**answer, "query": ""} if isinstance(answer, dict) else answer
        said = json.dumps(told).replace(json.dumps(arguments.get("domain", "-")).strip('"'), "")
        assert "theirs" not in said, tool
        assert mail not in said, tool
    assert world.call(theirs, "alert_log")["rows"][0]["state"] == "open"
    assert world.call(theirs, "list_domains")["rows"][0]["daily_limit"] == 0


def test_what_is_changed_is_changed_by_the_key_that_asked(world: World) -> None:
    key = world.keys["ours"]
    (entry,) = world.call(key, "alert_log")["rows"]
    marked = world.call(key, "acknowledge_alert", entry_id=entry["entry_id"])
    assert marked["state"] == "acknowledged"
    assert marked["by"].endswith("(mcp)")
    assert world.call(key, "set_domain_limits", domain="ours.example", daily=7)["daily_limit"] == 7
    assert world.call(key, "snooze_alert", alert_id=entry["alert_id"], hours=1)["snoozed_until"]
    assert "Unknown tool" in world.call(key, "resolve_alert", entry_id=entry["entry_id"])


@pytest.mark.parametrize("key", ["", "sk_wrong", "master", "platform"])
def test_only_a_workspaces_key_opens_it(world: World, key: str) -> None:
    if key == "master":
        key = (world.installation.data / "master-token").read_text().strip()
    elif key == "platform":
        key = world.installation.answer("key", "create", "--kind", "platform")["token"]
    question = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Accept": "application/json, text/event-stream"} | ({"Authorization": f"Bearer {key}"} if key else {})
    assert HTTP.post(world.url, json=question, headers=headers).status_code == 401


def test_over_standard_streams_one_workspace_is_told_of(world: World) -> None:
    """A word too many from a library on standard output would end the session."""

    async def run() -> Any:
        words = ["--config", "/dev/null", "mcp", "--workspace", "theirs"]
        server = StdioServerParameters(command=str(COMMAND), args=words, env=world.installation.environment)
        async with Client(server) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            return tools, await called(client, "search_mail", {"query": "", "limit": 2})

    tools, found = asyncio.run(run())
    assert tools == READING
    assert found["total"] == 40
    assert {row["from"] for row in found["rows"]} == {"news@theirs.example"}


def test_it_answers_without_a_server_too(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    installation.tenant("alone")

    async def run() -> Any:
        server = StdioServerParameters(command=str(COMMAND), args=["mcp"], env=installation.environment)
        async with Client(server) as client:
            return [await called(client, "mail_figures", {}), await called(client, "search_mail", {"query": "is:bad"})]

    figures, refused = asyncio.run(run())
    assert figures["accepted"] == 0
    assert "there is no state bad" in refused
