"""Each module here adds its commands with `register(app)`; a new command group is one new file."""
