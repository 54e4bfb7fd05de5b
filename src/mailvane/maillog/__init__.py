"""The mail log: what happened to each mail, where it comes from, and every question about it."""
