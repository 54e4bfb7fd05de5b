"""A Mailvane beside a real Postfix, following its log, as on an operator's machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import running_postfix
from tests.acceptance.installation import Installation
from tests.acceptance.mail_client import Note
from tests.acceptance.postfix_instance import PostfixInstance, cannot_run


@dataclass
class Place:
    """A Postfix, and a Mailvane that follows its log."""

    postfix: PostfixInstance
    installation: Installation
    token: str

    def rows(self, **filters: Any) -> list[dict[str, Any]]:
        """All there are. The total is counted beside the page: while mail comes in, they may differ for a moment."""

        def page() -> dict[str, Any]:
            found: dict[str, Any] = self.installation.get("/mail/log", self.token, limit=1000, **filters)
            return found if found["total"] == len(found["emails"]) else {}

        rows: list[dict[str, Any]] = self.installation.wait_for(page)["emails"]
        return rows

    def row(self, recipient: str) -> dict[str, Any]:
        (row,) = self.rows(to=recipient)
        return row

    def soon(self, *logged: str, times: int = 1, then: Callable[[], bool]) -> None:
        """Once it is in the log, it is soon true."""
        self.postfix.wait_for(*logged, times=times)
        self.installation.wait_for(then)


@contextmanager
def place(data: Path, **options: str) -> Iterator[Place]:
    if reason := cannot_run():
        pytest.skip(reason)
    data.mkdir(parents=True)
    installation = Installation(data)
    _, token = installation.tenant("acme")
    with running_postfix(**options) as postfix:
        settings = f'[[postfix]]\npath = "{postfix.log}"\nworkspace = "acme"\n'
        (data / "mailvane.toml").write_text(settings)
        with installation.serving():
            yield Place(postfix, installation, token)


def note(recipient: str, *others: str, **headers: str) -> Note:
    written = {"From": "Ann Example <ann@shop.example>", "Subject": f"to {recipient}", **headers}
    return Note((recipient, *others), written)
