"""Parts of the parameters: those that stay free while the others are frozen, and those that make up a layer."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from batching import in_float64


def chosen(apply_fn, params, only, penalty=None):
    """Return a network, a penalty and the parameters for which only some of the parameters are free.

    The others are constants. So the Hessians are the submatrices of the free parameters' rows and columns.

    Args:
        apply_fn: F(params, inputs) -> predictions.
        params: pytree of arrays. Only the free ones have to be float64.
        only: which parameters are free. Either a function of their path, such as
            `lambda path: path.startswith("Dense_1/")`, that returns True or False. Or a pytree like `params`, or a
            prefix of it, with True or False, or with an array of truth values of the parameter's shape.
        penalty: R(params) -> scalar, or None.

    Returns:
        apply_fn, params, penalty: functions of the free parameters alone, which keep their places in the tree. The
        others are None there. Where an array chooses entries, they are a vector.

    Raises:
        TypeError: for an `only` or a mask of another kind.
        ValueError: for a mask of another shape, and if no parameter is free. The message lists the paths.

    Example:
        >>> import numpy as np
        >>> from parts import chosen
        >>> params = {"first": np.ones((3, 2)), "last": np.ones((2, 1))}
        >>> network = lambda w, x: x @ w["first"] @ w["last"]
        >>> apply_fn, free, _ = chosen(network, params, only=lambda path: path == "last")
        >>> sorted(name for name, leaf in free.items() if leaf is not None)
        ['last']
        >>> apply_fn(free, np.eye(3)).shape
        (3, 1)
    """
    leaves, tree = jax.tree.flatten(params)
    names = paths(params)
    masks = [_mask(*each) for each in zip(names, leaves, _choices(only, params, names), strict=True)]
    free, kept = zip(*map(_divided, leaves, masks), strict=True)
    if not sum(np.size(leaf) for leaf in free if leaf is not None):
        raise ValueError(f"only chooses no parameter; the paths are {', '.join(map(repr, names))}")
    kept = _Kept(tree, kept, masks)
    return _network(apply_fn, kept), jax.tree.unflatten(tree, free), penalty and _penalty(penalty, kept)


def paths(params):
    """Return the path of every array in a pytree, such as 'Dense_0/kernel', in the order of the flattened vector."""
    found = jax.tree_util.tree_leaves_with_path(params)
    return [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in found]


def layers(params, layer=None):
    """Return the places of every layer's parameters in the flattened vector.

    Args:
        params: pytree of arrays.
        layer: path -> name of the layer. By default a layer is what stands in one folder of the tree: 'Dense_0' holds
            'Dense_0/kernel' and 'Dense_0/bias', and an array at the root is a layer by itself.

    Returns:
        {name: (m,) integers}, in the order of the flattened vector.

    Example:
        >>> import numpy as np
        >>> from parts import layers
        >>> params = {"Dense_0": {"bias": np.ones(2), "kernel": np.ones((3, 2))}, "scale": np.ones(1)}
        >>> {name: len(places) for name, places in layers(params).items()}
        {'Dense_0': 8, 'scale': 1}
    """
    found, first = {}, 0
    for path, leaf in zip(paths(params), jax.tree.leaves(params), strict=True):
        places = np.arange(first, first + np.size(leaf))
        found.setdefault((layer or _folder)(path), []).append(places)
        first += np.size(leaf)
    return {name: np.concatenate(places) for name, places in found.items()}


def _folder(path):
    for separator in "/.":  # PyTorch's names have dots
        if separator in path:
            return path.rpartition(separator)[0]
    return path


def _choices(only, params, names):
    """Return what `only` says of every array of the parameters."""
    if callable(only) and jax.tree_util.all_leaves([only]):  # a module of equinox is callable, and may be a mask
        return [only(name) for name in names]
    try:
        return jax.tree.leaves(jax.tree.map(lambda mask, below: jax.tree.map(lambda _: mask, below), only, params))
    except (ValueError, TypeError) as error:
        raise TypeError(
            "only must be a function of a parameter's path, or a pytree of True and False like params; it is neither: "
            f"{error}"
        ) from None


def _mask(name, leaf, choice):
    """Return True, False, or an array of truth values that are not all the same."""
    mask = np.asarray(choice)
    if mask.dtype != bool:
        raise TypeError(f"only must say True or False of every parameter, got {choice!r} for {name!r}")
    if mask.shape not in ((), np.shape(leaf)):
        raise ValueError(f"the mask of {name!r} has shape {mask.shape} and the parameter {np.shape(leaf)}")
    return bool(mask.all()) if mask.all() or not mask.any() else mask


def _divided(leaf, mask):
    """Return what is free of a parameter's array, and what is kept of it; None where that is nothing."""
    if mask is True:
        return leaf, None
    kept = in_float64(np.asarray(leaf))
    return (None, kept) if mask is False else (leaf[mask], kept)


class _Kept:
    """What stays frozen. Two of them are equal if their numbers are, so that a network is compiled once for both."""

    def __init__(self, tree, leaves, masks):
        self.tree, self.leaves, self.masks = tree, leaves, masks
        self._key = tree, *(leaf if leaf is None else (leaf.shape, leaf.dtype, leaf.tobytes()) for leaf in leaves)
        self._key += tuple(mask if isinstance(mask, bool) else mask.tobytes() for mask in masks)

    def __hash__(self):
        return hash(self._key)

    def __eq__(self, other):
        return isinstance(other, _Kept) and self._key == other._key

    def with_free(self, free):
        """Return the whole tree of parameters."""
        new = self.tree.flatten_up_to(free)
        merged = [_merged(*each) for each in zip(new, self.leaves, self.masks, strict=True)]
        return jax.tree.unflatten(self.tree, merged)


def _merged(new, kept, mask):
    if isinstance(mask, bool):
        return new if mask else jnp.asarray(kept)  # which indices can pick from, even while JAX traces them
    return jnp.asarray(kept).at[np.nonzero(mask)].set(new)


@functools.lru_cache(maxsize=64)
def _network(apply_fn, kept):
    return lambda free, inputs: apply_fn(kept.with_free(free), inputs)


@functools.lru_cache(maxsize=64)
def _penalty(penalty, kept):
    return lambda free: penalty(kept.with_free(free))
