"""Handlers reach the core through the application they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Request
from litestar.testing import RequestFactory

from mailvane.maillog.services import MailLogServices
from mailvane.web.endpoints import clock_of, services_of, threads_of
from tests.wire.world import opened


def test_a_request_leads_to_the_services_of_its_application(tmp_path: Path) -> None:
    with opened(tmp_path) as world:
        request: Request[Any, Any, Any] = RequestFactory(app=world.client.app).get("/mail")
        assert services_of(request, MailLogServices) is world.services.maillog
        assert clock_of(request) is world.services.clock
        assert threads_of(request) is world.client.app.state.threads
