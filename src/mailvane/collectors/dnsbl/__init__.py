"""DNS blocklists: their dictionary, whether each tells the truth, and what they say of addresses and domains."""

from mailvane.collectors.dnsbl.collector import Blocklists
from mailvane.collectors.dnsbl.lookups import Lookups
from mailvane.reputation_config import ReputationSettings


def make(settings: ReputationSettings) -> Blocklists:
    """Raises InvalidSetting."""
    return Blocklists(Lookups(settings.resolvers, settings.lookups_at_once))


COLLECTOR = make
