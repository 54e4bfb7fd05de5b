"""The command line: one file per command group in `commands/`, found by folder."""
