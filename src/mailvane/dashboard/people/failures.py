"""Wrong passwords, counted for each address and each network, so that nobody tries them all."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import ip_address, ip_network
from threading import Lock

from mailvane.core.moments import MINUTE_MS

_MOST = 5  # a minute, of an address
_MOST_OF_NETWORK = 20  # ours: people of an office share one
_REMEMBERED = 10_000


class LoginFailures:
    """Of this process. Two nodes allow twice as many."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._times: OrderedDict[str, list[int]] = OrderedDict()

    def are_too_many(self, address: str, now: int) -> bool:
        with self._lock:
            return any(len(self._recent(key, now)) >= most for key, most in _counted(address))

    def add(self, address: str, now: int) -> None:
        with self._lock:
            for key, _ in _counted(address):
                self._times[key] = [*self._recent(key, now), now]
                self._times.move_to_end(key)
            while len(self._times) > _REMEMBERED:
                self._times.popitem(last=False)

    def _recent(self, key: str, now: int) -> list[int]:
        return [at for at in self._times.get(key, ()) if now - MINUTE_MS < at <= now]


def _counted(address: str) -> list[tuple[str, int]]:
    """Where a failure from there is counted, and how many there may be."""
    try:
        known = ip_address(address)
    except ValueError:
        return [(address, _MOST)]
    network = ip_network((known, 24 if known.version == 4 else 48), strict=False)
    single = str(known) if known.version == 4 else str(ip_network((known, 64), strict=False))
    return [(single, _MOST), (str(network), _MOST_OF_NETWORK)]
