"""The paths of the Cleanbox API, a row each."""

from __future__ import annotations

from collections.abc import Iterator

from mailvane.inbound.cleanbox import addresses, contacts, messages, shape, team
from mailvane.inbound.cleanbox.parameters import (
    ADDRESS_ORDERS,
    BY_NAME,
    CONTACT_ORDERS,
    MESSAGE_ORDERS,
    MESSAGE_ROWS,
    QUARANTINE_ROWS,
    USUAL_ROWS,
    AddressChange,
    AddressCreation,
    ContactChange,
    Decision,
    paged,
)
from mailvane.inbound.cleanbox.shape import DIALECT, PREFIX
from mailvane.inbound.services import InboundServices
from mailvane.web.endpoints import Endpoint, Parameter, Pool, RouteTable

__all__ = ["DIALECT", "ROUTES"]

_ONE = "/{uuid:str}"
_STATUS = Parameter("status", f"Only of these, a comma list of {', '.join(messages.STATUSES)}.")
_FILTERS = (
    _STATUS,
    Parameter("address", "Only to this address, by uuid or by name."),
    Parameter("contact", "Only of this contact, by uuid or by address."),
    Parameter("from", "Only from this address, in the envelope or the From field."),
    Parameter("to", "Only to this recipient."),
    Parameter("q", "Only with this text in subject, sender or recipient: any part of it, in any case."),
)


def _team() -> Iterator[Endpoint]:
    yield Endpoint("get", "/team", "cleanbox_team", "Usage and limits", team.show, shape.Team, pool=Pool.MAIL_LOG)
    yield Endpoint(
        "get", "/team/subscription", "cleanbox_subscription", "What the team may use", team.subscription,
        shape.Subscription,
    )  # fmt: skip
    pages = paged(USUAL_ROWS, BY_NAME)[:2]
    yield Endpoint(
        "get", "/domains", "cleanbox_domains", "Domains whose mail is taken", team.domains, shape.Listing, query=pages
    )
    yield Endpoint(
        "get", "/relay", "cleanbox_relays", "Domains whose mail is passed on", team.relays, shape.Listing, query=pages
    )
    yield Endpoint("get", "/cloud", "cleanbox_cloud", "Room that kept content takes", team.cloud, shape.Cloud)


def _quarantine() -> Iterator[Endpoint]:
    path, one = "/quarantine", f"/quarantine{_ONE}"
    yield Endpoint(
        "get", path, "cleanbox_quarantine", "Mail that is held for a decision", messages.held, shape.HeldListing,
        query=paged(QUARANTINE_ROWS, MESSAGE_ORDERS),
    )  # fmt: skip
    yield Endpoint("get", one, "cleanbox_held_message", "One that is held", messages.show_held, shape.QuarantineObject)
    yield Endpoint(
        "delete", one, "cleanbox_remove_held_message", "Remove one that is held, for good", messages.remove_held, None
    )
    yield Endpoint(
        "post", f"{path}/accept", "cleanbox_accept", "Deliver mail that is held", messages.accept, shape.Accepted,
        Decision, pool=Pool.OUTSIDE,
    )  # fmt: skip
    yield Endpoint(
        "post", f"{path}/reject", "cleanbox_reject", "Deny mail that is held", messages.reject, shape.Rejected, Decision
    )


def _messages() -> Iterator[Endpoint]:
    path, one = "/messages", f"/messages{_ONE}"
    yield Endpoint(
        "get", path, "cleanbox_messages", "Mail of every status", messages.listed, shape.Listing,
        query=(*_FILTERS, *paged(MESSAGE_ROWS, MESSAGE_ORDERS)), pool=Pool.MAIL_LOG,
    )  # fmt: skip
    yield Endpoint(
        "get", one, "cleanbox_message", "One message", messages.show, shape.MessageObject, pool=Pool.MAIL_LOG
    )
    yield Endpoint(
        "get", f"{one}/raw", "cleanbox_raw_message", "The message as it came", messages.raw, str,
        answer_type="message/rfc822",
    )  # fmt: skip
    yield Endpoint(
        "post", f"{one}/redeliver", "cleanbox_redeliver", "Try a failed message again", messages.redeliver,
        shape.Settled, pool=Pool.OUTSIDE, refusals=(409,),
    )  # fmt: skip


def _contacts() -> Iterator[Endpoint]:
    states = Parameter("state", "Only in this state.", {"type": "string", "enum": list(contacts.STATES)})
    text = Parameter("q", "Only with this text in address or name: any part of it, in any case.")
    yield Endpoint(
        "get", "/contacts", "cleanbox_contacts", "Who writes", contacts.listed, shape.Listing,
        query=(states, text, *paged(USUAL_ROWS, CONTACT_ORDERS)), pool=Pool.MAIL_LOG,
    )  # fmt: skip
    yield Endpoint(
        "put", f"/contacts{_ONE}", "cleanbox_change_contact", "Decide about a sender", contacts.change,
        shape.ContactObject, ContactChange, pool=Pool.LENGTHY,
    )  # fmt: skip


def _addresses() -> Iterator[Endpoint]:
    one = f"/addresses{_ONE}"
    kinds = Parameter("type", "Only of this type.", {"type": "string", "enum": list(addresses.TYPES)})
    yield Endpoint(
        "get", "/addresses", "cleanbox_addresses", "Addresses that mail is taken for", addresses.listed, shape.Listing,
        query=(kinds, *paged(USUAL_ROWS, ADDRESS_ORDERS)),
    )  # fmt: skip
    yield Endpoint(
        "post", "/addresses", "cleanbox_create_address", "A new address", addresses.create, shape.AddressObject,
        AddressCreation, 201, refusals=(409,),
    )  # fmt: skip
    yield Endpoint(
        "put", one, "cleanbox_change_address", "Change an address", addresses.change, shape.AddressObject, AddressChange
    )
    yield Endpoint("delete", one, "cleanbox_remove_address", "Remove an address", addresses.remove, None)


ROUTES = RouteTable(
    [*_team(), *_quarantine(), *_messages(), *_contacts(), *_addresses()],
    InboundServices,
    DIALECT,
    tags=("Cleanbox",),
    prefix=PREFIX,
)
