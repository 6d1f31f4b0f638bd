"""Exact theory in SymPy: from the coefficient tables to theorems whose every step is checked.

No floats decide anything here, and nothing is imported from the numerics.
"""
