"""Google Postmaster Tools: its second interface asked, the records of its first one kept and read from files."""

from mailvane.reputation.sources.postmaster.collector import Postmaster, make

__all__ = ["COLLECTOR", "Postmaster", "make"]

COLLECTOR = make
