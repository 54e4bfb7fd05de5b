"""The last line of a file that does not end: was it written whole, or will there be more of it?

Whoever writes a log writes a line with its end, but perhaps in two pieces; and what a file ends with after a full disk
or a hasty copy will never have one. So only a line that ends as a line of its kind must is taken for whole.
"""

from __future__ import annotations

import re

import msgspec

_WHOLE = re.compile(
    r"\(queue active\)|: removed|, returned to sender|: message-id=<[^<>]*>| helo=<[^<>]*>(?: sasl_username=<[^<>]*>)?"
    r"|(?:dis)?connect from \S*\[[^\s\]]*\]"
)
_OUTCOME = re.compile(r"status=[\w-]+ (\(.*\))$", re.DOTALL)


def is_whole(line: bytes) -> bool:
    """Whether a line without an end says all that it was to say, as far as its form tells."""
    text = line.decode("utf-8", "replace").rstrip("\r")
    if text.startswith("{"):
        try:
            msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return False
        return True
    if outcome := _OUTCOME.search(text):
        return outcome[1].count("(") == outcome[1].count(")")
    return any(found.end() == len(text) for found in _WHOLE.finditer(text))
