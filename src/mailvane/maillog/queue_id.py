"""The form of a Postfix queue id, short or long. What it means is told by whoever knows the mails."""

from __future__ import annotations

import re

LONG_DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
# Five hexadecimal digits of microseconds, or at least six and four of base 52, then an inode number of 64 bits at most.
FORM = rf"[0-9A-F]{{6,21}}|[{LONG_DIGITS}]{{10,14}}z[{LONG_DIGITS}]{{1,16}}"
_FORM = re.compile(FORM)


def is_queue_id(text: str) -> bool:
    return _FORM.fullmatch(text) is not None
