"""The figures of the experiments: one file each, drawn from the trials as its experiment declares.

They are drawn without pyplot's global state.
"""
