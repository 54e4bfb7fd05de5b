"""The rule types, a module for each source. A module names its types in `RULES`."""
