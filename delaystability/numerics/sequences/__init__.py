"""Stability under every sequence of delays up to a bound."""
