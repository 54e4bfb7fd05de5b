"""The application as a whole: which routes there are, and that each knows what it needs."""

from __future__ import annotations

from pathlib import Path

from litestar.routes import HTTPRoute

from mailvane.dmarc.api import routes as report_routes
from mailvane.notify.api import routes as notify_routes
from mailvane.reputation.api import routes as watchtower
from tests.wire.world import opened


def test_these_are_the_routes(tmp_path: Path) -> None:
    with opened(tmp_path) as world:
        found = {route.path_format for route in world.client.app.routes if isinstance(route, HTTPRoute)}
    names = ("search", "statistics", "hourly", "life", "health", "verify", "retain", "upkeep")
    maillog = {f"/mailvane/v1/maillog/{name}" for name in names}
    emboux = {path for path in found if path.startswith(("/domains", "/outbound", "/api-keys", "/webhooks"))}
    assert len(emboux) == 16
    emailconsul = {path for path in found if path.startswith("/api/v1.0")}
    tables = [watchtower.ROUTES, notify_routes.ROUTES, report_routes.ROUTES]
    native = {each.path(row).replace(":str}", "}") for each in tables for row in each.rows}
    assert found - emboux - emailconsul - native == maillog | {
        "/ping", "/mail", "/mail/{order_id}", "/mail/stats", "/mail/log",
        "/mailvane/v1/events", "/mailvane/v1/billing/periods", "/mailvane/v1/domains/{name}/audit",
        "/healthz", "/readyz", "/metrics", "/openapi.json",
    }  # fmt: skip


def test_two_applications_in_one_process_do_not_share_their_counts(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        with opened(tmp_path / name) as world:
            world.client.get("/ping")
            text = world.client.get("/metrics").text
        assert 'mailvane_http_requests_total{route="/ping",status="200",surface="mailbaby"} 1.0' in text
