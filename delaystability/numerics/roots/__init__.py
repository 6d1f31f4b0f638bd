"""The dominant root of a loop, its proof, and the gain at which it is smallest."""
