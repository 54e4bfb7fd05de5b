"""The application as a whole: which routes there are, and that each knows what it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from litestar.routes import HTTPRoute

import mailvane
from mailvane.web.endpoints import RouteTable
from tests.wire.world import opened


def route_tables() -> Iterator[RouteTable]:
    """Every table of routes that a module of any room makes, whether the application serves it or not."""
    source = Path(mailvane.__file__).parent
    for file in sorted(source.rglob("*.py")):
        if "RouteTable(" in file.read_text():
            name = ".".join(file.relative_to(source.parent).with_suffix("").parts).removesuffix(".__init__")
            for value in vars(import_module(name)).values():
                made = value if isinstance(value, tuple) else (value,)
                yield from (each for each in made if isinstance(each, RouteTable))


def test_every_table_of_routes_is_served_and_nothing_else(tmp_path: Path) -> None:
    with opened(tmp_path) as world:
        served = {
            (path.path_format, method)
            for path in world.client.app.routes
            if isinstance(path, HTTPRoute)
            for method in path.route_handler_map
            if method != "OPTIONS"
        }
    rows = [(table.path(row).replace(":str}", "}"), row.method) for table in route_tables() for row in table.rows]
    told = Counter((path, method.upper()) for path, method in rows)
    assert served == told.keys()
    assert [route for route, tables in told.items() if tables > 1] == []


def test_these_need_no_key(tmp_path: Path) -> None:
    assert {table.path(row) for table in route_tables() for row in table.rows if table.is_open(row)} == {
        "/mailvane/v1/heartbeats/call/{secret:str}",
        "/held-mail", "/ping", "/webhooks/ses", "/healthz", "/readyz", "/metrics", "/openapi.json",
        "/api/v1.0/doc", "/api/v1.0/doc/openapi.json", "/api/v1.0/doc/page.js",
        "/api/v1.0/doc/swagger-ui.css", "/api/v1.0/doc/swagger-ui-bundle.js",
    }  # fmt: skip


def test_two_applications_in_one_process_do_not_share_their_counts(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        with opened(tmp_path / name) as world:
            world.client.get("/ping")
            text = world.client.get("/metrics").text
        assert 'mailvane_http_requests_total{route="/ping",status="200",surface="mailbaby"} 1.0' in text
