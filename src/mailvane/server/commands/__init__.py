"""Commands on the server as a whole."""
