"""The page of the EmailConsul API has the anchors of the vendor's guide, and Swagger UI as it was published."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib import resources

import pytest

from mailvane.server.api_page import FILES, anchored, file_content
from mailvane.server.http import document


@pytest.mark.parametrize(
    ("tag", "operation", "path"),
    [
        ("Alerts", "post_alerts", "/alerts"),
        ("Alerts", "get_alerts", "/alerts"),
        ("Alerts", "get_alerts__id_", "/alerts/{alert_id}"),
        ("Alerts", "put_alerts__id_", "/alerts/{alert_id}"),
        ("Alerts", "delete_alerts__id_", "/alerts/{alert_id}"),
        ("Alerts", "get_alerts__id__log", "/alerts/{alert_id}/log"),
        ("Checkers", "get_checkers_rbl_dictionary", "/checkers/rbl_dictionary"),
    ],
)
def test_what_the_guide_links_is_an_anchor(tag: str, operation: str, path: str) -> None:
    told = anchored(document())["paths"][f"/api/v1.0{path}"][operation.partition("_")[0]]
    assert (told["tags"], told["operationId"]) == ([tag], operation)


def test_each_operation_has_an_anchor_of_its_own_and_there_are_no_others() -> None:
    paths = anchored(document())["paths"]
    assert all(path.startswith("/api/v1.0/") for path in paths)
    names = [told["operationId"] for methods in paths.values() for told in methods.values()]
    assert len(names) == len(set(names)) > 50


def test_the_files_of_swagger_ui_are_those_that_were_published() -> None:
    place = resources.files("mailvane.server.api_page")
    told = re.findall(r"^([0-9a-f]{64})  (\S+)", place.joinpath("README.txt").read_text(), re.MULTILINE)
    assert {name for _, name in told} == {"swagger-ui-bundle.js", "swagger-ui.css", "LICENSE.txt"}
    for digest, name in told:
        assert sha256(place.joinpath(name).read_bytes()).hexdigest() == digest


def test_the_page_names_files_that_are_served_and_nothing_of_the_outside() -> None:
    text = (file_content("") + file_content("/page.js")).decode()
    named = set(re.findall(r'"(/api/[^"]+)"', text))
    assert named == {f"/api/v1.0/doc{name}" for name in (*FILES, "/openapi.json") if name}
    assert "://" not in text
