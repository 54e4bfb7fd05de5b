"""Mail that tells people of what is held, with links by which they decide about it."""
