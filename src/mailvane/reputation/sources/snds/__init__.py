"""Microsoft SNDS: what its two tables say, and how they are fetched with a key."""

from mailvane.reputation.sources.snds.collector import Snds, make

__all__ = ["COLLECTOR", "Snds", "make"]

COLLECTOR = make
