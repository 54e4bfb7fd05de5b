"""The rule types: a file for each, found by its folder."""
