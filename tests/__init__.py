"""The tests: one folder a package, plus properties, whole (real processes), faults and architecture."""
