"""Certificates: thresholds proved to any number of digits, and read back."""
