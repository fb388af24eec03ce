"""Planning an endpoint: effects, variances, sample sizes and what is expected of them."""
