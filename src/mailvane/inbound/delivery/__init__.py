"""Handing mail on to the servers behind the gateway, until they have it or it has failed."""
