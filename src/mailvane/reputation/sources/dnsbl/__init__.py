"""DNS blocklists: their dictionary, whether each tells the truth, and what they say of addresses and domains."""

from mailvane.reputation.sources.dnsbl.collector import Blocklists, make

__all__ = ["COLLECTOR", "Blocklists", "make"]

COLLECTOR = make
