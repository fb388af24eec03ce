"""Comparisons by ranks and by pairs: rank sums, shifts, win probabilities, hierarchical composites."""
