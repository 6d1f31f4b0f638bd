"""Gains at which roots cross the unit circle: all of them, in which direction, and counted."""
