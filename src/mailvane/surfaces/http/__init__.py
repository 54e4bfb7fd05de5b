"""Everything that speaks HTTP: one application, one room per dialect."""
