"""The EmailConsul API: alerts, their log and statistics, and the assets that they watch."""
