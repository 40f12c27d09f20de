"""Checks of arguments, made before any computing.

Every message says what was expected, what arrived, and what to do about it.
"""

import operator
from collections.abc import Sequence

import jax
import numpy as np
import psutil


def choice(kind, name, choices, hyperparameter=""):
    """Return `choices[name]`.

    Args:
        kind: what is being chosen, for the message: 'loss', 'activation', ...
        name: the key that the caller asked for.
        choices: mapping from the known names to what they stand for.
        hyperparameter: its name in the notebooks, for the message, if it is another word than `kind`.

    Raises:
        ValueError: if `name` is not one of the choices; the message lists them.
    """
    if not isinstance(name, str) or name not in choices:
        known = ", ".join(repr(known) for known in choices)
        place = f" as {hyperparameter}" if hyperparameter else ""
        raise ValueError(f"unknown {kind} {_shown(name)}; choose one of {known}{place}")
    return choices[name]


def boolean(name, value):
    """Return `value` as a Python bool.

    Raises:
        TypeError: if `value` is neither True nor False. A text such as "no" is true to Python, and so is nan.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {_shown(value)} of type {_kind(value)}")
    return bool(value)


def integer(name, value, minimum=1):
    """Return `value` as a Python int.

    Raises:
        TypeError: if `value` is not an integer (True and 5.0 are not).
        ValueError: if it is smaller than `minimum`, or larger than 2^63 - 1, the largest number of 64 bits.
    """
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {_shown(value)} of type {_kind(value)}") from None
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {_shown(number)}")
    if number >= 2**63:
        raise ValueError(f"{name} must be below 2^63 = {2**63}, got {_shown(number)}")
    return number


def number(name, value, low, high):
    """Return `value` as a Python float.

    Raises:
        TypeError: if `value` is not a real number (True is not).
        ValueError: unless low <= value < high. NaN is not.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number, got {_shown(value)} of type {_kind(value)}")
    if not low <= value < high:
        raise ValueError(f"{name} must be at least {low} and below {high}, got {value}")
    return float(value)


def widths(units):
    """Return the hidden widths m_1, ..., m_{L-1} as a list of Python ints.

    Raises:
        TypeError: if `units` is not a sequence of integers. A generator is none: the first to read it would use it up.
        ValueError: if it is empty or holds a width below one.
    """
    hidden = [integer(f"widths[{i}]", width) for i, width in enumerate(sequence("widths", units))]
    if not hidden:
        raise ValueError("widths is empty: name at least one hidden layer, for instance [5, 10]")
    return hidden


def sequence(name, values, what="hidden widths such as [5, 10]"):
    """Return `values`: a list, a tuple, a range or an array of one dimension.

    Args:
        name: of the argument, for the message.
        values: what arrived.
        what: they should be, with an example.

    Raises:
        TypeError: for anything else: one number, a text, a set, a generator.
    """
    listed = isinstance(values, Sequence) and not isinstance(values, (str, bytes, bytearray))
    if not listed and getattr(values, "ndim", None) != 1:
        raise TypeError(f"{name} must be a list of {what}, got {_shown(values)} of type {_kind(values)}")
    return values


def filled(**collections):
    """Check that no named list or mapping is empty, before it is drawn or summed up.

    Raises:
        ValueError: if one is; the message names it.
    """
    for name, collection in collections.items():
        if not len(collection):
            raise ValueError(
                f"{name} is empty, so there is nothing to show; a hyperparameter that is an empty list leads here: "
                "give it at least one value"
            )


def finite(**arrays):
    """Check that every named array, or pytree of arrays, is free of NaN and infinity.

    The check lets values that JAX is tracing through: they are not known yet.

    Raises:
        ValueError: if not; the message names the array and counts the offending entries.
    """
    for name, tree in arrays.items():
        for leaf in jax.tree.leaves(tree):
            if isinstance(leaf, jax.core.Tracer):
                continue
            bad = np.size(leaf) - int(np.isfinite(np.asarray(leaf)).sum())
            if bad:
                raise ValueError(
                    f"{name} must be finite, but {bad} of {np.size(leaf)} entries of an array of shape "
                    f"{np.shape(leaf)} are NaN or infinite; look at how {name} was computed"
                )


def float64(**arrays):
    """Check that JAX computes in float64 and that every named array, or pytree of arrays, is float64.

    Raises:
        TypeError: if not; the message says what to do about the array that arrived.
    """
    if not jax.config.jax_enable_x64:
        raise TypeError(
            'ranks need float64 and JAX is set to float32: call jax.config.update("jax_enable_x64", True) before the '
            "first array is made"
        )
    for name, tree in arrays.items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            dtype = getattr(leaf, "dtype", type(leaf).__name__)
            if dtype != np.float64 or not hasattr(leaf, "shape") or _is_torch(leaf):
                place = f"{name}{jax.tree_util.keystr(path)}" if path else name
                raise TypeError(f"{name} must be float64, got {_described(leaf)}: {_remedy(place, leaf)}")


def parameters(params):
    """Check that a tree of parameters holds no state, such as the running means of batch normalization.

    Raises:
        ValueError: for a key such as 'batch_stats'; the message names it.
    """
    for path, _ in jax.tree_util.tree_leaves_with_path(params):
        for key in path:
            name = getattr(key, "key", getattr(key, "name", None))
            if name in _STATES:
                raise ValueError(
                    f"params holds {name!r}, the state of a model, which would be counted among the parameters: pass "
                    "the parameters alone, such as variables['params'], and let apply_fn take the state from outside. "
                    "The functions in adapters/ do so for flax, equinox and PyTorch"
                )


def outputs(predictions):
    """Check that a network's outputs, arrays or their shapes and dtypes, are float64.

    Raises:
        TypeError: if not; the message names the output.
    """
    leaves = jax.tree_util.tree_leaves_with_path(predictions)
    if not leaves:
        raise TypeError(f"the network must return an array or a pytree of arrays, got {predictions!r}")
    for path, leaf in leaves:
        if leaf.dtype != np.float64:
            raise TypeError(
                f"the network's outputs{jax.tree_util.keystr(path)} must be float64, got {leaf.dtype}: take the "
                "conversion out of the network, and return what the loss needs and no more"
            )


def shapes(tree):
    """Return the shapes of the arrays in a pytree as a text."""
    return ", ".join(f"an array of shape {np.shape(leaf)}" for leaf in jax.tree.leaves(tree)) or repr(tree)


def equal_shapes(predictions, targets):
    """Check that predictions and targets have the same shape, since (n, 1) - (n, K) would broadcast.

    Raises:
        ValueError: if not; the message gives both shapes.
    """
    if np.shape(predictions) != np.shape(targets):
        raise ValueError(
            f"predictions have shape {np.shape(predictions)} and targets {np.shape(targets)}; both must be (n, K), "
            "with one output of the network for each column of the targets and one row for each sample. (For the "
            "numbers of classes in place of one-hot targets, take the loss 'nll')"
        )


def memory(needed, what, remedy):
    """Check that `needed` bytes are free.

    Args:
        needed: bytes.
        what: what takes them, for the message.
        remedy: what to do otherwise, for the message.

    Raises:
        MemoryError: if not; the message gives both sizes.
    """
    free = free_memory()
    if needed > free:
        raise MemoryError(f"{what}, {1e-9 * needed:.1f} GB; {1e-9 * free:.1f} GB are free. {remedy}")


def free_memory():
    """Return the bytes that are free where JAX computes: the accelerator's, or the machine's."""
    statistics = jax.local_devices()[0].memory_stats()  # None on a CPU
    return statistics["bytes_limit"] - statistics["bytes_in_use"] if statistics else psutil.virtual_memory().available


def _kind(value):
    return type(value).__name__


def _shown(value):
    """Return a value as Python writes it, or in words if it holds an integer of too many digits to be written."""
    try:
        return repr(value)
    except ValueError:
        return "a number of more than 4000 digits" if isinstance(value, int) else "numbers of more than 4000 digits"


_STATES = "batch_stats", "cache", "state", "dropout", "rngs"  # as flax, haiku and their like name them


def _is_torch(leaf):
    return type(leaf).__module__.split(".")[0] == "torch"


def _described(leaf):
    if _is_torch(leaf):
        return f"a PyTorch tensor of {leaf.dtype}"
    return str(getattr(leaf, "dtype", f"a Python {type(leaf).__name__}"))


def _remedy(name, leaf):
    """Return what to do about an array or a number that is not a float64 array."""
    if _is_torch(leaf):
        return f"take {name}.detach().numpy().astype('float64')"
    if not hasattr(leaf, "dtype"):
        return f"make an array of it, {name} = numpy.float64(...), or leave it out if it is no parameter"
    if np.issubdtype(leaf.dtype, np.integer) or leaf.dtype == bool:
        return f"integers have no derivatives; take {name}.astype('float64'), or leave it out"
    if np.issubdtype(leaf.dtype, np.complexfloating):
        return "make the real and the imaginary parts parameters of their own"
    return f"make {name} again in float64, since a conversion would keep what {leaf.dtype} has rounded"
