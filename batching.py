"""Batches: pairs (inputs, targets) of pytrees of arrays with a leading sample axis, gone through, joined and cut."""

import jax
import jax.numpy as jnp
import numpy as np

_CUT = "every array needs the sample axis in front, also those of a single sample such as one graph: x[None]"


def each_batch(batches):
    """Yield the batches as pairs (inputs, targets) of pytrees of NumPy arrays.

    Args:
        batches: pairs: a list, a `torch.utils.data.DataLoader` or any other iterable. One pair (X, Y) alone is
            recognized. Inputs and targets are arrays or pytrees of arrays, (n, ...) each, of any dtype. Targets are
            None for a loss that needs none.

    Raises:
        TypeError: for what is no pair, and for leaves that are no arrays of numbers.
        ValueError: for arrays of different lengths n, and at the end, if there was no sample in the batches.

    Example:
        >>> import numpy as np
        >>> from batching import each_batch
        >>> [(inputs, targets)] = each_batch((np.eye(3), {"label": np.array([0, 1, 1]), "weight": np.ones(3)}))
        >>> inputs.shape, targets["label"].shape
        ((3, 3), (3,))
    """
    samples = 0
    for batch in [batches] if _is_pair(batches) else batches:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise TypeError(
                f"each batch must be a pair (inputs, targets), got {_described(batch)}; write (inputs, None) for a "
                "loss that needs no targets"
            )
        inputs, targets = (_arrays(*named) for named in zip(("inputs", "targets"), batch, strict=True))
        samples += num_samples(inputs, targets)
        yield inputs, targets
    if not samples:
        raise ValueError("batches is empty: there are no samples to sum over")


def num_samples(inputs, targets=None):
    """Return n, the length of the leading axis of all arrays in two pytrees.

    Raises:
        ValueError: if there is no array among the inputs, or if the lengths differ.
    """
    leaves = jax.tree_util.tree_leaves_with_path({"inputs": inputs, "targets": targets})
    if not jax.tree.leaves(inputs):
        raise ValueError("inputs hold no array, so that the samples cannot be counted")
    lengths = {}
    for path, leaf in leaves:
        name = jax.tree_util.keystr(path[:1], simple=True) + jax.tree_util.keystr(path[1:])
        if not np.ndim(leaf):
            raise ValueError(f"{name} is a single number, without a sample axis: {_CUT}")
        lengths.setdefault(len(leaf), name)
    if len(lengths) > 1:
        (n, first), (m, second), *_ = lengths.items()
        raise ValueError(f"{first} has {n} samples and {second} has {m}: {_CUT}")
    return next(iter(lengths))


def part(tree, samples):
    """Return the samples of a slice, of every array in a pytree."""
    return jax.tree.map(lambda leaf: leaf[samples], tree)


def joined(pairs):
    """Return one pair for several pairs (inputs, targets) of pytrees, with the samples of all in their order."""
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *pairs) if len(pairs) > 1 else pairs[0]


def alike(pairs):
    """Return the pairs in groups that `joined` can join: the same trees, with arrays of one shape and dtype a sample.

    Args:
        pairs: list of pairs (inputs, targets) of pytrees of NumPy arrays (n, ...).

    Returns:
        List of lists of pairs, in the order in which their kinds first occur.
    """
    groups = {}
    for pair in pairs:
        leaves, structure = jax.tree.flatten(pair)
        kind = structure, tuple((leaf.shape[1:], leaf.dtype) for leaf in leaves)
        groups.setdefault(kind, []).append(pair)
    return list(groups.values())


def in_float64(tree):
    """Return a pytree whose arrays of floating point numbers are float64. Integers and truth values stay."""
    return jax.tree.map(lambda leaf: leaf.astype(float) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree)


def arrays(*trees):
    """Return pytrees of NumPy arrays for pytrees of arrays, with floating point numbers in float64."""
    return tuple(in_float64(_arrays("the data", tree)) for tree in trees)


def _is_pair(batches):
    """Return whether this is one batch (X, Y) rather than a list of two."""
    if not isinstance(batches, (tuple, list)) or len(batches) != 2:
        return False
    if not all(isinstance(each, (tuple, list)) for each in batches):
        return True
    # Two matrices written as lists of numbers.
    numbers = isinstance(batches, tuple) and all(isinstance(each, list) for each in batches)
    return numbers and all(isinstance(leaf, (int, float)) for leaf in jax.tree.leaves(batches))


def _arrays(name, tree):
    leaves, structure = jax.tree.flatten(tree)
    if isinstance(tree, list) and leaves and not any(hasattr(leaf, "shape") for leaf in leaves):
        leaves, structure = [np.asarray(tree)], jax.tree.structure(0)  # a matrix written as lists of numbers
    found = [np.asarray(leaf) for leaf in leaves]
    for leaf, array in zip(leaves, found, strict=True):
        if array.dtype.kind in "OSUMm":
            raise TypeError(
                f"{name} must be arrays of numbers, or dictionaries, lists and tuples of them, got {_described(leaf)}; "
                "turn texts into integers first, such as token ids"
            )
    return jax.tree.unflatten(structure, found)


def _described(value):
    shape = f" of shape {tuple(value.shape)}" if hasattr(value, "shape") else ""
    length = f" of length {len(value)}" if isinstance(value, (tuple, list, dict)) else ""
    return f"a {type(value).__name__}{shape}{length}"
