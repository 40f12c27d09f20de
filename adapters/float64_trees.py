"""Parameters and constants of other libraries' networks, as NumPy arrays in float64."""

import jax
import jax.numpy as jnp
import numpy as np


def parameters(name, tree):
    """Return a tree of parameters as NumPy float64 arrays. Float32 is converted, and keeps its values.

    Args:
        name: of the tree, for the message.
        tree: pytree of arrays.

    Raises:
        TypeError: if one is not real and floating, or has another dtype than the others; the message names it.
    """
    first = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        place = f"{name}{jax.tree_util.keystr(path)}"
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise TypeError(
                f"parameters must be real floating-point numbers, but {place} is {leaf.dtype}: make it a constant, "
                "or a complex one two real ones"
            )
        first.setdefault(leaf.dtype, place)
    if len(first) > 1:
        places = " and ".join(f"{place} is {dtype}" for dtype, place in list(first.items())[:2])
        raise TypeError(
            f"all parameters must have one dtype, but {places}: make the model again with one dtype, since a "
            "conversion would keep what the shorter of them has rounded"
        )
    return jax.tree.map(lambda leaf: np.array(leaf).astype(np.float64), tree)


def constant(leaf):
    """Return a value of a network's state, in float64 if it is floating."""
    floating = hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)
    return np.array(leaf).astype(np.float64) if floating else leaf
