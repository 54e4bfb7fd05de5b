"""Ways in for observations: one module or folder for each outside source. The runner asks them when it is time."""
