"""The paths of inbound mail in Mailvane's own interface, a row each."""

from __future__ import annotations

from collections.abc import Iterator

from mailvane.inbound.api import filters, snoozing, state
from mailvane.inbound.services import InboundServices
from mailvane.web.dialect import NATIVE, NATIVE_PREFIX
from mailvane.web.endpoints import Endpoint, Pool, RouteTable


def _rows() -> Iterator[Endpoint]:
    path = "/inbound/filters"
    one = f"{path}/{{filter_id:str}}"
    yield Endpoint(
        "get", "/inbound", "inbound_state", "Where inbound mail comes from, and why nothing is held", state.show,
        state.InboundState, pool=Pool.MAIL_LOG,
    )  # fmt: skip
    yield Endpoint("get", path, "list_filters", "Filters, in their order", filters.listed, list[filters.FilterObject])
    yield Endpoint(
        "post", path, "add_filter", "A new filter", filters.create, filters.FilterObject, filters.FilterBody, 201
    )
    yield Endpoint(
        "put", one, "change_filter", "Enable, disable, rename or move a filter", filters.change, filters.FilterObject,
        filters.FilterChange,
    )  # fmt: skip
    yield Endpoint(
        "post", "/inbound/snooze", "snooze_messages", "Deliver held mail at a time to come", snoozing.snooze,
        list[snoozing.Snoozed], snoozing.Snooze, pool=Pool.OUTSIDE,
    )  # fmt: skip
    yield Endpoint("delete", one, "remove_filter", "Remove it", filters.remove, None)


ROUTES = RouteTable([*_rows()], InboundServices, NATIVE, ("Native",), NATIVE_PREFIX)
