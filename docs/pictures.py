"""Takes the pictures of the README: the demo's dashboard in Chromium.

    python docs/pictures.py [--chromium /usr/bin/chromium]

A demo is started on a free port, its link is opened, and two pages are drawn as they are, into `docs/pictures/`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent / "pictures"
SIZE = {"width": 1280, "height": 800}
PAGES = {"overview": "{workspace}", "log": "{workspace}/log?q=is:failing"}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


_ALERTS, _PATIENCE_MS = 4, 240_000  # of the demo, which come in its first minutes


@contextmanager
def demo() -> Iterator[str]:
    """The link of a demo that runs."""
    settings = {"MAILVANE_HTTP": f"127.0.0.1:{free_port()}", "MAILVANE_POLICY": f"127.0.0.1:{free_port()}"}
    settings |= {"MAILVANE_SMTP": f"127.0.0.1:{free_port()}", "PYTHONUNBUFFERED": "1"}
    command = [str(Path(sys.executable).with_name("mailvane")), "demo"]
    with tempfile.TemporaryDirectory() as data:
        process = subprocess.Popen(  # noqa: S603  the command of this installation
            [*command, "--data", data],
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield link_of(process)
        finally:
            process.terminate()
            process.wait(30)


def link_of(process: subprocess.Popen[str]) -> str:
    """What the demo prints for a browser. Raises RuntimeError with all that it said when it ends instead."""
    said = []
    for line in process.stdout or ():
        said.append(line)
        if found := re.search(r"http://\S+/ui/login/\S+", line):
            return found[0]
    raise RuntimeError("".join(said))


def draw(page: Page, link: str) -> None:
    page.goto(link)
    page.click("button.main")
    page.wait_for_url("**/ui/workspaces")
    workspace = page.locator("main table a").first.get_attribute("href")
    base = link.partition("/ui/")[0]
    page.goto(base + PAGES["overview"].format(workspace=workspace))
    page.locator(".needs a[href*='alerts/fired']").nth(_ALERTS - 1).wait_for(timeout=_PATIENCE_MS)
    for name, path in PAGES.items():
        page.goto(base + path.format(workspace=workspace))
        page.locator("#ticks[data-state=live]").wait_for()
        page.evaluate("document.fonts.ready")
        page.screenshot(path=HERE / f"{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("chromium-browser"))
    wanted = parser.parse_args()
    HERE.mkdir(exist_ok=True)
    with demo() as link, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=wanted.chromium, args=["--no-sandbox"])
        draw(browser.new_page(viewport=SIZE, color_scheme="light"), link)
        browser.close()


if __name__ == "__main__":
    main()
