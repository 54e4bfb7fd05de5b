"""DNS blocklists: their dictionary, whether each tells the truth, and what they say of addresses and domains."""

from mailvane.collectors.dnsbl.collector import Blocklists, make

__all__ = ["COLLECTOR", "Blocklists", "make"]

COLLECTOR = make
