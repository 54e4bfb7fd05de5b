"""Tables of cases in YAML, read by the parser in C: that of PyYAML's own takes longer than most of their tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_table(path: Path) -> Any:
    return yaml.load(path.read_text("utf-8"), _LOADER)
