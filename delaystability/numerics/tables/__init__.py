"""Tables of an optimizer and a delay, as numbers: what every solver starts from."""
