"""What DNS says of a mailbox's domain. Values only."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class RecordStatus(StrEnum):
    """How a record is found."""

    VALID = "valid"
    MISSING = "missing"
    INVALID = "invalid"
    UNKNOWN = "unknown"  # no resolver answered


class Exchanger(msgspec.Struct, frozen=True):
    """An MX record."""

    exchange: str
    priority: int


class MxHealth(msgspec.Struct, frozen=True):
    status: RecordStatus
    records: tuple[Exchanger, ...] = ()


class RecordHealth(msgspec.Struct, frozen=True):
    status: RecordStatus
    record: str = ""
    selector: str = ""  # of DKIM
    found_at: str = ""  # of DMARC: the name that has it, the domain or one above


class DnsHealth(msgspec.Struct, frozen=True):
    """Of one domain."""

    mx: MxHealth
    spf: RecordHealth
    dkim: RecordHealth
    dmarc: RecordHealth

    @property
    def score(self) -> int:
        """25 for each of the four that is valid."""
        return 25 * sum(each.status is RecordStatus.VALID for each in (self.mx, self.spf, self.dkim, self.dmarc))

    @property
    def is_known(self) -> bool:
        """Every question was answered."""
        return all(each.status is not RecordStatus.UNKNOWN for each in (self.mx, self.spf, self.dkim, self.dmarc))
