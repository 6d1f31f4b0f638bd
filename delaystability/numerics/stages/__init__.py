"""Pipelines: loops whose stages have delays of their own."""
