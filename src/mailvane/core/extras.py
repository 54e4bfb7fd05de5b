"""Libraries that only some installations need: each comes with an extra of the package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mailvane.core.errors import NotPossible


@contextmanager
def needing(extra: str, *libraries: str) -> Iterator[None]:
    """For imports of what an extra brings. Raises NotPossible, saying how to install it, where a library is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in libraries:
            raise
        how = f"install Mailvane with its extra {extra!r}, as in: pip install '.[{extra}]'"
        raise NotPossible(f"the library {missing} is not installed: {how}") from None
