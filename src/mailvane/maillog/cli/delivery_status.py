"""How the status of a delivery looks on a terminal."""

from __future__ import annotations

from rich.text import Text

from mailvane.maillog.model import DeliveryStatus

_STATUS_STYLE = {
    DeliveryStatus.DELIVERED: "green",
    DeliveryStatus.QUEUED: "cyan",
    DeliveryStatus.HELD: "magenta",
    DeliveryStatus.DEFERRED: "yellow",
    DeliveryStatus.BOUNCED: "red",
    DeliveryStatus.EXPIRED: "red",
    DeliveryStatus.DISCARDED: "dim",
}


def status_text(status: DeliveryStatus) -> Text:
    return Text(status.value, _STATUS_STYLE[status])
