"""What all init_fn share: checks of the initializer and of the memory, and weights drawn one after another."""

import math

import jax
import jax.numpy as jnp

import checks


def initializer(init):
    """Return an initializer init(key, shape, dtype).

    Raises:
        TypeError: for anything that is no function, such as a name.
    """
    if not callable(init):
        raise TypeError(f"init must be a function init(key, shape, dtype), got {init!r}; pass get_init('glorot')")
    return init


def weights(key, init, shapes):
    """Return weights of the shapes given, in float64, each drawn with a key of its own.

    Args:
        key: JAX's random key.
        init: a function init(key, shape, dtype).
        shapes: pytree of shapes, tuples of ints.

    Raises:
        TypeError: if JAX is set to float32.
        MemoryError: if they would not fit in memory.
    """
    checks.float64()
    leaves, structure = jax.tree.flatten(shapes, is_leaf=_is_shape)
    check_memory(key, [math.prod(shape) for shape in leaves])
    keys = jax.random.split(key, len(leaves))
    drawn = [init(each, shape, jnp.float64) for each, shape in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, drawn)


def check_memory(key, sizes, times=1):
    """Check that arrays of so many numbers fit in memory while they are drawn. With a traced key nothing is drawn.

    Args:
        key: JAX's random key. In jax.eval_shape it is traced.
        sizes: the numbers in each array.
        times: how many such lists of arrays there are.

    Raises:
        MemoryError: if not.
    """
    if isinstance(key, jax.core.Tracer):
        return
    p = times * sum(sizes)
    # While a matrix is drawn, up to four more arrays of its size exist: random bits, and what becomes of them.
    checks.memory(
        8 * (p + 4 * max(sizes)),
        f"the weights of p = {p} parameters take {8e-9 * p:.1f} GB, and more while they are drawn",
        "Choose smaller widths or a smaller dim",
    )


def input_shape(shape, *names):
    """Return the sizes of an input shape (-1, ...), one for each of the names given.

    Raises:
        ValueError: for another number of axes, or a size below one.
        TypeError: for a shape that is not a tuple or a list, or a size that is not an integer.
    """
    expected = f"the input shape must be (-1, {', '.join(names)})"
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"{expected}, got {shape!r} of type {type(shape).__name__}")
    if len(shape) != 1 + len(names):
        raise ValueError(f"{expected} for this network, got {tuple(shape)}")
    return [checks.integer(f"{name} of the input shape", size) for name, size in zip(names, shape[1:], strict=True)]


def check_inputs(inputs, *sizes):
    """Check the shape of a network's inputs: (n, *sizes), in which a text stands for any size, and names it.

    Raises:
        ValueError: if the inputs have another shape.
    """
    shape = jnp.shape(inputs)
    fits = len(shape) == 1 + len(sizes) and all(
        isinstance(size, str) or size == found for size, found in zip(sizes, shape[1:], strict=True)
    )
    if not fits:
        expected = ", ".join(map(str, sizes))
        raise ValueError(f"inputs must have shape (n, {expected}) for this network, got {shape}")


def _is_shape(shape):
    return isinstance(shape, tuple) and all(isinstance(size, int) for size in shape)
