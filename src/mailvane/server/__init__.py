"""The composition root: reads the settings, opens the stores, builds the services, starts the roles.

The only room that knows all others and which engines there are. Nothing imports it.
"""
