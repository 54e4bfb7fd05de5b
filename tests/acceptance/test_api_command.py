"""`mailvane api`: what has no command of its own is done all the same, in each dialect, and refusals are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation

ZONE = "/mailvane/v1/blocklists/bl.example.org"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    found = Installation(tmp_path_factory.mktemp("api"))
    found.tenant("acme")
    found.tenant("beta")
    (found.data / "mailvane.toml").write_text('[reputation]\nresolvers = ["127.0.0.1:9"]\n')
    with found.serving():
        yield found


def test_what_is_changed_so_is_changed_and_shown(served: Installation, tmp_path: Path) -> None:
    body = tmp_path / "zone.json"
    body.write_text('{"lists": ["ips"], "codes": {"127.0.0.9": "seen"}}')
    assert json.loads(served.run("api", "put", ZONE, "--body", f"@{body}").stdout)["host"] == "bl.example.org"
    zones = {each["zone"]["host"]: each["zone"] for each in json.loads(listed(served, "/mailvane/v1/blocklists"))}
    assert zones["bl.example.org"]["codes"] == {"127.0.0.9": "seen"}
    assert served.run("api", "DELETE", ZONE).stdout == ""
    assert "bl.example.org" not in listed(served, "/mailvane/v1/blocklists")


def listed(served: Installation, path: str) -> str:
    return str(served.run("api", "GET", path, "--workspace", "acme").stdout)


def test_it_is_done_for_the_workspace_that_is_named_in_every_dialect(served: Installation) -> None:
    watched = served.run(
        "api", "POST", "/api/v1.0/ips", "--workspace", "acme", "--body", "-", given=b'{"ip":"192.0.2.7"}'
    )
    assert json.loads(watched.stdout)["data"][0]["ip"] == "192.0.2.7"
    found = {name: served.run("api", "GET", "/api/v1.0/ips", "--workspace", name).stdout for name in ("acme", "beta")}
    assert [len(json.loads(each)["data"]) for each in found.values()] == [1, 0]
    csv = b"address\nann@example.com\n"
    words = ("api", "POST", "/mailvane/v1/suppressions/import", "--type", "text/csv", "--body", "-")
    served.run(*words, "--workspace", "beta", given=csv)
    assert served.answer("suppression", "list", "--workspace", "beta")[0]["address"] == "ann@example.com"
    made = served.run("api", "POST", "/domains", "--body", '{"name": "shop.example"}', "--workspace", "acme").stdout
    assert json.loads(made)["name"] == "shop.example"
    assert json.loads(served.run("api", "GET", "/mail", "--workspace", "acme").stdout)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("GET", "/mailvane/v1/sources"), "the server answers 400: name the workspace in the X-Workspace-Id header"),
        (("POST", "/mailvane/v1/keys", "--body", "{"), "the server answers 400: "),
        (("GET", "/mailvane/v1/nothing"), "the server answers 404"),
        (("GET", "mailvane/v1/keys"), "'mailvane/v1/keys' is no path: it begins with a slash"),
        (("GET", "/mailvane/v1/keys", "--workspace", "nobody"), "there is no workspace"),
        (("POST", "/mailvane/v1/keys", "--body", "@/no/such/file"), "No such file or directory"),
    ],
)
def test_what_is_refused_is_told_in_a_line(served: Installation, words: tuple[str, ...], told: str) -> None:
    refused = served.run("api", *words, succeeds=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert told in " ".join(refused.stderr.split())


def test_without_a_server_it_says_so(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    installation.tenant("acme")
    refused = installation.run("api", "GET", "/mailvane/v1/keys", succeeds=False)
    assert f"the server at {installation.url} does not answer" in " ".join(refused.stderr.split())
