"""Revisions of the ledger's schema are one chain, in the order of their numbers."""

from __future__ import annotations

import re

from mailvane.core.ledger.migration import MIGRATIONS


def test_each_revision_follows_the_one_before() -> None:
    files = sorted((MIGRATIONS / "versions").glob("v*.py"))
    names = [path.name[1:].partition("_")[0] for path in files]
    assert names == [f"{number:04}" for number in range(1, len(files) + 1)]
    for name, before, path in zip(names, [None, *names], files, strict=False):
        text = path.read_text()
        assert re.search(rf'^revision = "{name}"$', text, re.MULTILINE), path.name
        expected = "None" if before is None else f'"{before}"'
        assert re.search(rf"^down_revision = {expected}$", text, re.MULTILINE), path.name
