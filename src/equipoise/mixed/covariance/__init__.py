"""Covariance structures of a patient's visits; a new one is a family of correlations and a line in `named`."""
