"""Logs of delays: reading them from text files, arrays and tables, and checking them."""
