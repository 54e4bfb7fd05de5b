"""The composition root: reads the settings, opens the stores, builds the services, starts the roles.

The only layer that knows which engines there are. Nothing imports it.
"""
