"""A login by a provider of the settings file, in a real browser: from the button to the page, under our own policy."""

from __future__ import annotations

import time
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.installation import Installation
from tests.acceptance.test_dashboard import AXE, CHROMIUM, SIZES, Walk, Watched, browser
from tests.wire.dashboard.login_provider import CLIENT, SECRET, LocalProvider

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["browser"]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def test_a_click_leads_to_the_provider_and_back_as_a_new_member(browser: Browser, tmp_path: Path) -> None:
    installation, secret = Installation(tmp_path / "data"), tmp_path / "secret"
    installation.tenant("acme")
    secret.write_text(SECRET)
    with LocalProvider(int(time.time())).running() as provider:
        (installation.data / "mailvane.toml").write_text(
            f'[oidc]\nissuer = "{provider.issuer}"\nclient_id = "{CLIENT}"\nclient_secret_file = "{secret}"\n'
            'name = "Example Login"\nnew_member_role = "viewer"\nnew_member_workspace = "acme"\n'
        )
        with installation.serving():
            watched, walk = Watched(browser.new_context().new_page()), Walk([], {}, {})
            for size, (width, height) in SIZES.items():
                watched.page.set_viewport_size({"width": width, "height": height})
                watched.open(f"{installation.url}/ui/login")
                walk.judge(watched.page, size, ("light", "dark"))
            assert set(walk.violations) == (set(product(SIZES, ("light", "dark"))) if AXE.is_file() else set())
            assert not any(walk.violations.values()), walk.violations
            watched.page.click("text=Log in with Example Login")
            watched.page.wait_for_url("**/ui/workspaces")
            watched.page.click("text=acme")
            watched.page.wait_for_selector("h1:has-text('Overview')")
            watched.open(f"{installation.url}/ui/account")
            assert "ann@x.example" in watched.page.inner_text("h1")
            watched.page.click("text=Forget that")
            watched.page.wait_for_selector("text=Logged in by", state="detached")
            assert watched.said == []
