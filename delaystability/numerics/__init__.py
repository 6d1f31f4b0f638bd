"""Numbers: thresholds, spectra, exact rational tests and certified enclosures.

Stands on the coefficient tables only; never imports the symbolic theory.
"""
