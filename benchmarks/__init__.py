"""Stability thresholds by other packages and by this one: times and errors on one machine."""
