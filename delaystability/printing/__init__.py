"""Theorems in print: LaTeX, Markdown, HTML, plain text and JSON. Theory does not import it."""
