"""The arguments that are special to one optimizer, one file for each."""
