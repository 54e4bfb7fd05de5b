"""The registry's answers, as the collector's reader understands them."""

from __future__ import annotations

import json

from mailvane.reputation.sources.lookalikes.candidates import candidates
from mailvane.reputation.sources.lookalikes.rdap import read_bootstrap, read_registration
from mailvane_demo.world.incidents import script
from mailvane_demo.world.registry import LIST_PATH, Registry, lookalikes
from mailvane_demo.world.web_server import Reply, Request

START = 1_790_000_000_000
INCIDENTS = script(START, pause=60_000)
BRAND = "kettl.example"
TAKEN = lookalikes(BRAND, START, INCIDENTS)


def ask(path: str, at: int = START) -> Reply:
    return Registry(TAKEN)(Request("GET", path, {}, {"host": "127.0.0.1:1"}, b"", at))


def test_the_list_of_registries_leads_to_it() -> None:
    servers = read_bootstrap(ask(LIST_PATH).body)
    assert servers["example"] == "http://127.0.0.1:1/rdap/"
    assert {name.rpartition(".")[2] for name, *_ in candidates(BRAND)} <= set(servers)


def test_a_registration_says_since_when_and_by_whom() -> None:
    old = TAKEN[0]
    told = read_registration(ask(f"/rdap/domain/{old.name}").body, old.name)
    assert (told.reg_created_date, told.reg_updated_date) == (old.created, old.changed)
    assert (told.registrar, told.registrar_abuse_email) == ("Old Names Ltd.", "abuse@oldnamesltd.example")


def test_one_is_taken_during_the_demo() -> None:
    name = TAKEN[-1].name
    assert ask(f"/rdap/domain/{name}", INCIDENTS.registered_at - 1).status == 404
    told = ask(f"/rdap/domain/{name}", INCIDENTS.registered_at)
    assert (told.status, json.loads(told.body)["ldhName"]) == (200, name)


def test_each_is_a_name_that_somebody_would_look_for() -> None:
    assert {each.name for each in TAKEN} <= {name for name, *_ in candidates(BRAND)}


def test_nobody_has_other_names() -> None:
    assert ask("/rdap/domain/nobody.example").status == 404
