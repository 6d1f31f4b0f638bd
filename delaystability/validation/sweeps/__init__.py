"""Sweeps: lists of trials that many processes share, in one file that survives a kill.

`trial` says what is run, `store` keeps what is done, `run` does the rest.
"""
