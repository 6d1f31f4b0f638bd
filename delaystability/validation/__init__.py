"""Trained networks at the edge of stability under delay; needs the extra ``validation``.

Import the modules by name (``delaystability.validation.training``): this package itself
loads nothing.
"""
