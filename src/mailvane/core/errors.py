"""The one exception tree.

Exceptions carry data; each surface renders them in its own shape. Whether trying again can help is part of the
type: everything below `Transient` may work later, everything below `Permanent` will not without a change.
"""

from __future__ import annotations


class MailvaneError(Exception):
    """Something went wrong inside Mailvane."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])

    @property
    def message(self) -> str:
        return str(self.args[0])


class Permanent(MailvaneError):
    """This will not work until something is changed."""


class Transient(MailvaneError):
    """This may work when it is tried again."""


class InvalidSetting(Permanent):
    """A setting has an unknown name or an impossible value."""


class InvalidInput(Permanent):
    """The request carries a value that is not accepted."""


class InvalidEvent(InvalidInput):
    """A line of the intake is not a mail event."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class InvalidFields(InvalidInput):
    """Fields of a document carry values that are not accepted."""

    def __init__(self, *fields: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in fields))
        self.fields = fields  # name, such as "rules[0].ips", and what is wrong with it


class NotPossible(Permanent):
    """This cannot be done as things are, whoever asks."""


class TooLarge(Permanent):
    """More was sent at once than is taken."""


class UnsupportedForm(Permanent):
    """What was sent is in a form that is not read."""


class AlreadyExists(Permanent):
    """Something of that name exists already."""


class ChangedMeanwhile(Permanent):
    """It was changed since whoever decides about it looked."""


class NotFound(Permanent):
    """There is no such thing, or it belongs to another workspace."""


class UnknownWorkspace(NotFound):
    """There is no such workspace."""


class MisnamedWorkspace(InvalidInput):
    """A workspace is named by something that is no id of one."""


class NotAuthenticated(Permanent):
    """The key is missing or unknown."""


class KeyMissing(NotAuthenticated):
    """No key was presented, or none in a form that is understood."""


class KeyDeactivated(NotAuthenticated):
    """The key is known, but was switched off."""


class KeyExpired(NotAuthenticated):
    """The key is known, but its time is over."""


class NotAllowed(Permanent):
    """The key is known but may not do this."""


class QuotaExceeded(NotAllowed):
    """The key's terms do not allow any more of these."""

    def __init__(self, used: int, allowed: int) -> None:
        super().__init__(f"{used} of {allowed} are used")
        self.used = used
        self.allowed = allowed


class StoreInUse(Permanent):
    """Another process owns the data directory."""


class StoreTooNew(Permanent):
    """The stored data was written by a newer engine than this one."""


class StoreDamaged(Permanent):
    """Something of what was stored is broken or gone."""


class LedgerMismatch(Permanent):
    """The mail log holds mail of workspaces that the ledger does not know."""


class ServerUnreachable(Transient):
    """A server owns the data directory but does not answer."""


class SourceMoved(Transient):
    """Another process has read this log further: begin again from where it is now."""


class StoreUnavailable(Transient):
    """A store does not answer."""


class LedgerDamaged(StoreUnavailable):
    """The ledger's file is none, or is broken. Whoever waits for a ledger goes on waiting: it may be brought back."""


class StoreFull(StoreUnavailable):
    """The disk that a store lies on is full."""


class ProviderUnavailable(Transient):
    """The service that verifies domains does not answer, or not now."""


class ProviderRefused(Permanent):
    """The service that verifies domains will not do what it was asked."""


class CollectionFailed(Transient):
    """An outside source could not be asked, or said nothing that could be understood."""
