"""Exact arithmetic: rational tables, rational polynomials, and proofs by balls."""
