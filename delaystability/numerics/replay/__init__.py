"""Loops that replay a log of delays in its order."""
