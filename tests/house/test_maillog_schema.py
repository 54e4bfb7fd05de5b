"""A mail log that is current is opened without a look at each statement: so a changed statement needs a new version."""

from __future__ import annotations

from hashlib import sha256

from mailvane.maillog.clickhouse.schema import SCHEMA_VERSION, statements

# The statements of each version that was given out. The newest is replaced together with SCHEMA_VERSION, never alone.
DIGESTS = {4: "1161b4d8abbb44ed", 5: "abf69c22ad5a2619", 6: "b8ee31715d4c24b1"}


def test_the_statements_are_those_of_their_version() -> None:
    digest = sha256("\n".join(statements()).encode()).hexdigest()[:16]
    assert DIGESTS.get(SCHEMA_VERSION) == digest, (
        "schema.sql has changed: raise SCHEMA_VERSION, and note its digest here"
    )
