"""What a rule type is: its configuration as fields, its name, what it reads, and what satisfies it. Pure.

Those of one source stand in one module of `rules`. The names of types and fields are those that users write.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Any, ClassVar, TypeVar, cast

import msgspec
from msgspec import Meta

from mailvane.core.names import canonical_name
from mailvane.reputation.alerts.comparing import Comparison
from mailvane.reputation.alerts.mail_questions import MailQuestion
from mailvane.reputation.alerts.model import Match
from mailvane.reputation.alerts.view import View
from mailvane.reputation.model import AssetKind, Observation, ObservationKind

# Any of them means all in any list: the vendor's own guide mixes them up.
WORDS = frozenset(
    {
        "ALL_IPS",
        "ALL_DOMAINS",
        "ALL_GP_DOMAINS",
        "ALL_GP_IPS",
        "ALL_SNDS_IPS",
        "ALL_TRAPS_IPS",
        "ALL_TRAPS_DOMAINS",
    }
)
# All blocklists that the dictionary holds in high esteem.
HIGH_REPUTATION = "HIGH_REPUTATION"
# Any name, where a rule is about this server's own things.
ANY = "ANY"
_MOST = 10_000
_LONGEST_NAME = 512  # characters


class Address(str):
    """An IP address in its one spelling, or one of the words. Marks what `spelled` has to read; see `plain`."""

    __slots__ = ()


class DomainName(str):
    """A domain in its one spelling, or one of the words. Marks what `spelled` has to read; see `plain`."""

    __slots__ = ()


class ZoneName(str):
    """The host name of a blocklist in its one spelling, or the word for many. Marks what `spelled` has to read."""

    __slots__ = ()


class Named(str):
    """A name of this server's own things, as they have it, or the word for any. Marks what `spelled` has to read."""

    __slots__ = ()


Addresses = Annotated[tuple[Address, ...], Meta(min_length=1, max_length=_MOST)]
DomainNames = Annotated[tuple[DomainName, ...], Meta(min_length=1, max_length=_MOST)]
ZoneNames = Annotated[tuple[ZoneName, ...], Meta(min_length=1, max_length=_MOST)]
Names = Annotated[tuple[Named, ...], Meta(min_length=1, max_length=_MOST)]


def stands_for_all(names: Collection[str]) -> bool:
    return not WORDS.isdisjoint(names)


def normalized(kind: type, value: object) -> object:
    """From what a user wrote. Raises ValueError."""
    read = _READ.get(kind)
    if read is None:
        raise NotImplementedError
    if not isinstance(value, str):
        raise ValueError(f"Expected `str`, got `{type(value).__name__}`")  # noqa: TRY004 - becomes the field's complaint
    return kind(value if value in _WORDS_OF[kind] else read(value))


def plain(value: object) -> object:
    """Without the mark of its reading: what a rule tells of is encoded, and no encoder knows subclasses of text."""
    if isinstance(value, tuple):
        return tuple(plain(each) for each in value)
    return str(value) if isinstance(value, Address | DomainName | ZoneName | Named) else value


@lru_cache(maxsize=65_536)
def _address(text: str) -> str:
    try:
        # A zone (`%eth0`) names an interface of one machine: no source tells of such an address.
        return str(ip_address(text.strip() if "%" not in text else ""))
    except ValueError:
        raise ValueError(f"{text[:80]!r} is no IP address") from None


def _domain(text: str) -> str:
    name = canonical_name(text)
    if not name or _is_number(name):
        raise ValueError(f"{text[:80]!r} is not the name of a domain")
    return name


def _is_number(name: str) -> bool:
    """No top-level domain is a number (RFC 3696, section 2): what ends in one is an address."""
    return name.rpartition(".")[2].isdigit()


def _zone(text: str) -> str:
    """A host name has letters, digits and hyphens (RFC 1123, section 2.1), and is no address."""
    name = canonical_name(text)
    if not name or "_" in name or _is_number(name):
        raise ValueError(f"{text[:80]!r} is not the host name of a blocklist")
    return name


def _named(text: str) -> str:
    name = text.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ValueError(f"a name has 1 to {_LONGEST_NAME} characters that can be shown")
    return name


_READ: Mapping[type, Callable[[str], str]] = {
    Address: _address,
    DomainName: _domain,
    ZoneName: _zone,
    Named: _named,
}
_WORDS_OF: Mapping[type, Collection[str]] = {
    Address: WORDS,
    DomainName: WORDS,
    ZoneName: frozenset({HIGH_REPUTATION}),
    Named: frozenset({ANY}),
}


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule as a user configured it."""

    TYPE: ClassVar[str]
    READS: ClassVar[ObservationKind]

    def __post_init__(self) -> None:
        """Whatever a rule holds may become part of a match, and so of documents and messages."""
        for name in self.__struct_fields__:
            msgspec.structs.force_setattr(self, name, plain(getattr(self, name)))

    @classmethod
    def adapted(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a user wrote, in the form that is meant; for types that the vendor's own guide spells in two ways."""
        return raw

    def turns(self, said: Sequence[Observation]) -> Iterator[int]:  # noqa: ARG002 - most match when something is said
        """Moments at which it may begin to match although nothing new is said then, by all that was said."""
        yield from ()

    def question(self) -> MailQuestion | None:
        """What it asks of the mail log; most ask nothing."""
        return None

    @abstractmethod
    def matches(self, view: View, profile_id: str | None) -> Iterator[Match]:
        """Everything that satisfies it now, of what is watched in the alert's profile."""


Compared = TypeVar("Compared")


def one_comparison(
    name: str,
    reads: ObservationKind,
    compared: type[Compared],
    matches: Callable[[View, str | None, Compared], Iterator[Match]],
) -> type[Rule]:
    """A type whose one field is what is compared with, under the type's name in lower case."""
    field = name.lower()
    body = {
        "TYPE": name,
        "READS": reads,
        "matches": lambda rule, view, profile: matches(view, profile, getattr(rule, field)),
    }
    made = msgspec.defstruct(
        name.title().replace("_", ""), [(field, compared)], bases=(Rule,), namespace=body, frozen=True, kw_only=True
    )
    return cast(type[Rule], made)


class Field(msgspec.Struct, frozen=True):
    """A number of a source's record, and how a match shows it."""

    kind: ObservationKind
    asset: AssetKind
    name: str  # in the data
    shown: Sequence[str]  # fields of the record that a snapshot shows
    label: str = "domain"  # of the asset in an item


def meant(view: View, kind: AssetKind, profile_id: str | None, given: Collection[str]) -> Collection[str]:
    """The names that a rule lists; where a word stands for all that are watched, these too."""
    if not stands_for_all(given):
        return given
    named = WORDS.symmetric_difference(given) - WORDS
    watched = view.watched(kind, profile_id)
    return named.union(watched) if named else watched


def records(view: View, kind: ObservationKind, names: Collection[str] | None) -> Iterator[Observation]:
    """What is known about these assets, or about all; looked up, as most rules name few of many."""
    if names is None:
        yield from view.known(kind)
        return
    by_asset = view.about(kind)
    for name in dict.fromkeys(names):
        yield from by_asset.get(name, ())


def comparing(view: View, profile_id: str | None, comparison: Comparison, field: Field) -> Iterator[Match]:
    """The watched assets whose newest record has a number for which the comparison holds."""
    numbers = view.numbers(field.kind, field.name)
    span = comparison.within(numbers.values)
    watched = view.watched(field.asset, profile_id)
    for value, observation in zip(numbers.values[span], numbers.observations[span], strict=True):
        if observation.asset in watched:
            yield Match(
                item={field.label: observation.asset, "value": value},
                record=record_of(observation, field.shown, field.label),
                identity=(observation.asset,),
                at=observation.at,
            )


def record_of(observation: Observation, shown: Sequence[str], label: str = "domain") -> Mapping[str, Any]:
    """What a snapshot keeps of an observation."""
    record = {label: observation.asset, "date_timestamp": observation.at}
    return {**record, **{name: observation.data[name] for name in shown if name in observation.data}}
