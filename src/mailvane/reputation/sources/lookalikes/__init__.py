"""Domains that imitate a brand: which are thinkable, which are there, whose they are, and since when."""

from mailvane.reputation.sources.lookalikes.collector import Lookalikes, make

__all__ = ["COLLECTOR", "Lookalikes", "make"]

COLLECTOR = make
