"""Times to an event: curves, tests, hazard ratios, restricted means."""
