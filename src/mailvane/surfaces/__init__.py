"""The doors for people and programs: HTTP interfaces and the command line."""
