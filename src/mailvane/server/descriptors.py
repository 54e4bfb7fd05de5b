"""File descriptors: as many as the system allows, and how many of them each listening socket may give to connections.

The stores, the log files and what is asked of other servers need theirs whatever comes in.
"""

from __future__ import annotations

import logging
import resource

from mailvane.core.connections import ConnectionLimits

log = logging.getLogger(__name__)

_WANTED = 65_536
_MOST_CONNECTIONS = 4_096  # of one door
_SHARE = 0.3  # of all descriptors, for one door; there are two


def raised() -> int:
    """Raise the soft limit as far as is allowed and useful, and return it."""
    soft, hard = (_WANTED if limit == resource.RLIM_INFINITY else limit for limit in _limits())
    wanted = max(soft, min(hard, _WANTED))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, _limits()[1]))
    except (OSError, ValueError) as error:
        log.warning("cannot raise the limit of file descriptors from %d to %d: %s", soft, wanted, error)
        wanted = soft
    found = connections_of_a_door(wanted)
    log.info(
        "file descriptors: %d (%d when started); connections of each door: %d, of one peer: %d",
        wanted, soft, found.total, found.per_peer,
    )  # fmt: skip
    return wanted


def connections_of_a_door(descriptors: int) -> ConnectionLimits:
    """What the HTTP server, and likewise the policy service, may hold open."""
    total = max(1, min(_MOST_CONNECTIONS, int(descriptors * _SHARE)))
    return ConnectionLimits(total=total, per_peer=max(1, total // 2))


def _limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)
