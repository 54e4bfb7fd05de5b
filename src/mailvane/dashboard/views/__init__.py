"""Saved views: queries of the mail log under a name, for one person or for all of a workspace."""
