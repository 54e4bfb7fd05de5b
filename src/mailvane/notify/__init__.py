"""Telling people: the outbox, and the channels that empty it."""
