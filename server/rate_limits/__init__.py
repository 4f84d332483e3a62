"""Rate limits: the token bucket arithmetic and the stores that remember buckets."""
