"""May this mail pass? Pure rules: values in, values out; no store, no clock, no socket."""
