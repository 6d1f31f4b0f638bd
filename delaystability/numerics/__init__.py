"""Numbers: thresholds, spectra, moments, replays, exact rational tests and certified enclosures.

From the ground up: ``tables``, ``exact``, ``crossings``, ``thresholds``, ``roots``, ``moments``,
``stages``, ``replay``, ``certificates``; each imports only rooms before it. Nothing here knows
``theory``, so that their agreement is evidence.
"""
