"""Registries asked by RDAP, on a real server: who is asked, what is believed, and at what pace."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import CollectionFailed
from mailvane.core.http_client import HttpClient
from mailvane.reputation.sources.lookalikes.rdap import (
    NoRegistry,
    Registration,
    Registries,
    read_bootstrap,
    read_registration,
)
from tests.unit.reputation.sources.lookalikes.registry_server import Registry, document
from tests.unit.reputation.sources.vendor_server import Said, VendorServer

NOW = 1_795_262_400_000  # 2026-11-21T12:00Z
DAY_MS = 86_400_000
CREATED, UPDATED = NOW - 26 * 3_600_000, NOW - 25 * 3_600_000


@pytest.fixture
def registry() -> Iterator[Registry]:
    told = Registry({"shoop.example": document("shoop.example", updated="2026-11-20T11:00:00.0Z")})
    with told.server.running():
        yield told


def ask(registries: Registries, *names: str, now: int = NOW) -> list[Registration | CollectionFailed | None]:
    async def one(client: HttpClient, name: str) -> Registration | CollectionFailed | None:
        try:
            return await registries.registration(client, name, now)
        except CollectionFailed as error:
            return error

    async def asked() -> list[Registration | CollectionFailed | None]:
        async with HttpClient("the registry", pauses=(0.01,)) as client:
            return [await one(client, name) for name in names]

    return asyncio.run(asked())


def test_a_registry_tells_dates_and_registrar(registry: Registry) -> None:
    (found,) = ask(Registries(registry.bootstrap, 0), "shoop.example")
    assert found == Registration(
        reg_created_date=CREATED,
        reg_updated_date=UPDATED,
        registrar="Names Inc.",
        registrar_abuse_email="abuse@names.example",
        dnssec=False,
    )


def test_the_database_s_own_update_is_no_change_of_the_domain(registry: Registry) -> None:
    found = read_registration(msgspec.json.encode(document("a.example")), "a.example")
    assert found.reg_updated_date is None


def test_what_the_registry_does_not_know_is_nobodys(registry: Registry) -> None:
    assert ask(Registries(registry.bootstrap, 0), "free.example") == [None]


def test_a_redirect_is_followed_but_only_the_registry_says_that_nobody_has_it(registry: Registry) -> None:
    with VendorServer(lambda asked: Said(status=404)).running() as elsewhere:
        registry.domains["moved.example"] = Said(status=302, headers={"Location": "/rdap/domain/shoop.example"})
        registry.domains["away.example"] = Said(
            status=302, headers={"Location": f"{elsewhere.url}/domain/away.example"}
        )
        registry.domains["round.example"] = Said(status=307, headers={"Location": "/rdap/domain/round.example"})
        registry.domains["file.example"] = Said(status=301, headers={"Location": "file:///etc/passwd"})
        moved, away, around, file = ask(
            Registries(registry.bootstrap, 0), "moved.example", "away.example", "round.example", "file.example"
        )
    assert "something else" in str(moved)  # it was followed, and tells of another domain
    assert "not the registry's own" in str(away)
    assert "without end" in str(around)
    assert "less safe" in str(file)


def test_a_registry_sends_nobody_into_the_network_of_this_machine(registry: Registry) -> None:
    with VendorServer(lambda asked: Said(status=200)).running() as inside:
        address = f"http://localhost:{inside.url.rpartition(':')[2]}/secret"
        registry.domains["evil.example"] = Said(status=302, headers={"Location": address})
        (found,) = ask(Registries(registry.bootstrap, 0), "evil.example")
    assert isinstance(found, CollectionFailed)
    assert "not a public address" in str(found)
    assert inside.asked == []


def test_an_ending_without_a_server_has_no_registry(registry: Registry) -> None:
    (found,) = ask(Registries(registry.bootstrap, 0), "x.nowhere")
    assert isinstance(found, NoRegistry)


def test_the_list_is_kept_for_a_day_and_an_old_one_is_better_than_none(registry: Registry) -> None:
    registries = Registries(registry.bootstrap, 0)
    ask(registries, "shoop.example", "free.example")
    ask(registries, "shoop.example", now=NOW + DAY_MS - 1)
    assert registry.lists == 1
    registry.endings = []
    ask(registries, "shoop.example", now=NOW + DAY_MS)
    assert registry.lists == 2
    registry.server.answer = lambda asked: Said(status=500)
    other = Registries(registry.bootstrap, 0)
    assert isinstance(ask(other, "shoop.example")[0], CollectionFailed)
    asked = len(registry.server.asked)
    ask(other, "shoop.example", now=NOW + 60_000)
    assert len(registry.server.asked) == asked


def test_the_list_may_be_a_file(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "dns.json"
    path.write_bytes(msgspec.json.encode({"services": [[["example"], [f"{registry.server.url}/rdap"]]]}))
    assert isinstance(ask(Registries(str(path), 0), "shoop.example")[0], Registration)
    assert "cannot be read" in str(ask(Registries(str(tmp_path / "none"), 0), "shoop.example")[0])


def test_a_registry_that_asks_for_patience_is_left_alone(registry: Registry) -> None:
    registry.domains["busy.example"] = Said(status=429, headers={"Retry-After": "900"})

    busy, other = ask(Registries(registry.bootstrap, 0), "busy.example", "shoop.example")
    assert "429" in str(busy)
    assert "patience" in str(other)
    assert registry.asked == ["busy.example"]


def test_questions_to_one_registry_keep_their_distance(registry: Registry) -> None:
    registries = Registries(registry.bootstrap, 3600.0)

    async def asked() -> None:
        async with HttpClient("the registry") as client:
            await registries.registration(client, "shoop.example", NOW)
            await asyncio.wait_for(registries.registration(client, "free.example", NOW), 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(asked())
    assert registry.asked == ["shoop.example"]


@pytest.mark.parametrize(
    "told",
    [
        Said(b"<html>"),
        Said(b"[]"),
        Said(b"{}"),
        Said(b'{"ldhName":"other.example"}'),
        Said(status=403),
        Said(status=503),
    ],
)
def test_an_answer_that_says_nothing_is_a_failure(registry: Registry, told: Said) -> None:
    registry.domains["odd.example"] = told
    assert isinstance(ask(Registries(registry.bootstrap, 0), "odd.example")[0], CollectionFailed)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"services":[[["com"],7]]}', b"[]", b"\xff"])
def test_a_list_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(CollectionFailed):
        read_bootstrap(text)


def test_a_list_prefers_servers_that_are_reached_safely() -> None:
    text = (
        b'{"services":[[["COM","net"],["http://a.example","https://b.example/x/"]],[["org"],["ftp://c.example"]],[[]]]}'
    )
    assert read_bootstrap(text) == {"com": "https://b.example/x/", "net": "https://b.example/x/"}


WORDS = st.sampled_from(
    ["entities", "roles", "registrar", "abuse", "vcardArray", "events", "eventAction", "registration"]
)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | WORDS | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(WORDS, inner, max_size=5),
        max_leaves=40,
    )
)
def test_any_document_is_read_or_refused(told: Any) -> None:
    try:
        read_registration(msgspec.json.encode(told), "a.example")
    except CollectionFailed:
        return


def card(*properties: list[Any]) -> list[Any]:
    return ["vcard", [["version", {}, "text", "4.0"], *properties]]


@pytest.mark.parametrize(
    ("entity", "name"),
    [
        ({"vcardArray": card(["fn", {}, "text", "Names AG"], ["org", {}, "text", "Other"])}, "Names AG"),
        ({"vcardArray": card(["org", {}, "text", "Firm GmbH"])}, "Firm GmbH"),
        ({"vcardArray": card(["ORG", {}, "text", ["Firm GmbH", "Domains"]])}, "Firm GmbH"),
        ({"vcardArray": card(["fn", {}, "text", " "], ["org", {}, "text", "Firm GmbH"])}, "Firm GmbH"),
        ({"entities": [{"roles": ["abuse"], "vcardArray": card(["fn", {}, "text", "Inner Ltd"])}]}, "Inner Ltd"),
        ({"entities": [{"roles": ["technical"]}, {"vcardArray": card(["org", {}, "text", "Inner"])}]}, "Inner"),
        ({"vcardArray": card(["fn", {}, "text", []]), "entities": "none"}, ""),
    ],
)
def test_a_registrar_is_named_by_its_card_its_organisation_or_its_contacts(entity: dict[str, Any], name: str) -> None:
    told = {"ldhName": "a.example", "entities": [{"roles": ["registrar"], **entity}]}
    assert read_registration(msgspec.json.encode(told), "a.example").registrar == name
