"""Stability thresholds: one kernel for each shape of tables, and the inverse questions."""
