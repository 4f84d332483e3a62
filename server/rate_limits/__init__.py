"""Rate limits: the token bucket arithmetic and the stores of buckets."""
