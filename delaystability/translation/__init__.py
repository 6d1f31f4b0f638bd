"""The kernels, written once in a small dialect of Python, as source code in other languages."""
