"""Kinds of networks, one module each. `architectures` re-exports what a reader calls."""
