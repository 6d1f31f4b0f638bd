"""What a user asks: learning rates, dynamics, spectra and pipelines, answered by the numerics."""
