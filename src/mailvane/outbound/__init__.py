"""Outgoing mail: what may be sent, what comes back, and what is made of it."""
