"""Two proportions: limits, exact tests, strata, adjustment, number needed to treat."""
