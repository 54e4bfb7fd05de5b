"""Refresh tokens that replaced others: one for each mailbox, the last one counts."""

from __future__ import annotations

from mailvane.dmarc.oauth import KeptToken
from mailvane.server.ledger import Ledger


def test_the_last_one_of_a_mailbox_is_kept(ledger: Ledger) -> None:
    first = KeptToken(name="a", origin="o", refresh_token="1", at=1)
    last = KeptToken(name="a", origin="o", refresh_token="2", at=2)
    other = KeptToken(name="b", origin="o", refresh_token="3", at=1)
    for each in (first, other, last):
        ledger.tokens.keep_token(each)
    assert [ledger.tokens.kept_token(name) for name in ("a", "b", "c")] == [last, other, None]
