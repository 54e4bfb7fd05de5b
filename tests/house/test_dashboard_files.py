"""What the dashboard sends to browsers: files of others as published, an own script that stays small, strict markup."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[2] / "src" / "mailvane" / "dashboard"
STATIC = ROOM / "static"
SCRIPT_LINES = 250
FORBIDDEN = {
    "a style in an attribute": re.compile(r"<[^>]*\sstyle\s*="),
    "a script in an attribute": re.compile(r"<[^>]*\son[a-z]+\s*="),
    "a script in a page": re.compile(r"<script(?![^>]*\ssrc=)"),
    "markup that is not escaped": re.compile(r"\|\s*safe\b|autoescape\s+false"),
    "something from elsewhere": re.compile(r"""(?:src|href)=["']?(?:https?:)?//"""),
}


def test_files_of_others_are_as_they_were_published() -> None:
    told = (STATIC / "LICENSES.txt").read_text()
    theirs = sorted((*STATIC.glob("*.min.js"), *STATIC.glob("*.woff2")))
    assert len(theirs) == 3
    for path in theirs:
        assert path.name in told
        assert sha256(path.read_bytes()).hexdigest() in told, path.name


def test_the_own_script_stays_small() -> None:
    assert len((STATIC / "mailvane.js").read_text().splitlines()) <= SCRIPT_LINES


@pytest.mark.parametrize("path", sorted((ROOM / "templates").glob("*.html")), ids=lambda path: path.name)
def test_a_template_has_nothing_that_the_policy_forbids(path: Path) -> None:
    for what, pattern in FORBIDDEN.items():
        assert not pattern.search(path.read_text()), what
