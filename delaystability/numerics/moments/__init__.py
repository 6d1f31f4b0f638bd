"""Second moments: noise amplification, mean-square thresholds, mini-batches, and decay."""
