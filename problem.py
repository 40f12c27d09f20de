"""A network with its loss, weights and data, checked once, in the form that all functions here take."""

import contextlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import checks
import parts
import premises
from batching import alike, each_batch, in_float64, joined, num_samples, part
from matvecs import samples_at_once


class Problem(NamedTuple):
    """A network with its loss, weights and data. Its Hessians are those of scale * sum of the batches' losses."""

    loss: object  # ell(predictions, targets) -> scalar, a sum over the samples
    apply_fn: object  # F(params, inputs) -> predictions
    params: object  # pytree of float64 NumPy arrays, of the free parameters
    batches: list  # pairs (inputs, targets) of pytrees of NumPy arrays, as large as memory allows
    scale: float = 1.0
    penalty: object = None  # Problem whose H_L is the penalty's Hessian, or None


def pose(loss, apply_fn, params, batches, reduction="sum", only=None, penalty=None):
    """Return the Problem of a network, after all checks but that of the derivatives, which takes a product with H_L.

    Args:
        loss: ell(predictions, targets) -> scalar. For more than one batch, it has to be a sum or a mean over the
            samples.
        apply_fn: F(params, inputs) -> predictions, a float64 array (n, ...) or a pytree of them.
        params: pytree of float64 arrays, p numbers in all.
        batches: pairs (inputs, targets) of pytrees of arrays (n, ...) of any dtype: a list or a
            `torch.utils.data.DataLoader`, gone through once. One pair (X, Y) alone is recognized. Floating point
            numbers become float64.
        reduction: what the loss does over the samples of a batch, 'sum' or 'mean'. With 'mean' the Hessians are those
            of the mean over all samples, whatever the sizes of the batches.
        only: which parameters are free, a function of their path or a mask (`parts.chosen`). The others are constants.
        penalty: R(params) -> scalar, a term of the parameters alone such as weight decay, which counts once.

    Raises:
        TypeError: for parameters or outputs in anything but float64, or batches that are no pairs.
        ValueError: for NaN or infinity, shapes that do not fit, or no batches. Also for functions with random parts, a
            loss that is no sum over the samples, and arithmetic that is rounded to float32 (`premises`).
    """
    batches = [(in_float64(inputs), in_float64(targets)) for inputs, targets in each_batch(batches)]
    if only is not None:
        apply_fn, params, penalty = parts.chosen(apply_fn, params, only, penalty)
    checks.parameters(params)
    checks.float64(params=params)
    checks.finite(params=params)
    params = jax.tree.map(np.asarray, params)
    batches = _with_numbers(loss, apply_fn, params, batches)
    doubtful = [check_batch(loss, apply_fn, params, *batch) for batch in batches]
    first = params, *batches[0]
    loss, apply_fn = premises.pure((premises.reduced(loss, reduction), apply_fn), *first)
    samples = [num_samples(inputs) for inputs, _ in batches]
    largest = params, *batches[int(np.argmax(samples))]
    # Of one batch, any loss may be taken, such as one of pairs of samples.
    if len(batches) > 1 or any(doubtful) or samples_at_once(apply_fn, *largest[:2]) < max(samples):
        premises.check_sum(loss, apply_fn, *largest)
    # A loss of several batches is a sum over samples, so that they can be one: all products are then made in one go.
    small = list(_in_parts(apply_fn, params, [joined(group) for group in alike(batches)]))
    scale = 1 / sum(samples) if reduction == "mean" else 1.0
    return Problem(loss, apply_fn, params, small, scale, penalty and _of_penalty(penalty, params))


def check_batch(loss, apply_fn, params, inputs, targets):
    """Check one batch: finite, outputs in float64, and a loss that is one number.

    Returns:
        bool, whether predictions and targets have different shapes that broadcast. A loss may then compare samples with
        one another by mistake, as for (n, 1) and (n,).

    Raises:
        TypeError, ValueError: as in `pose`.
    """
    checks.finite(inputs=inputs, targets=targets)
    predictions = jax.eval_shape(apply_fn, params, inputs)
    checks.outputs(predictions)
    value = jax.eval_shape(loss, predictions, targets)
    if jax.tree.structure(value) != jax.tree.structure(0) or value.shape != ():
        raise ValueError(
            f"the loss must be one number, but it returns {checks.shapes(value)}; sum it over samples and outputs"
        )
    return _broadcast(predictions, targets)


def _broadcast(predictions, targets):
    shapes = [getattr(each, "shape", None) for each in (predictions, targets)]
    if None in shapes or shapes[0] == shapes[1]:
        return False
    with contextlib.suppress(ValueError):
        np.broadcast_shapes(*shapes)
        return True
    return False


def _with_numbers(loss, apply_fn, params, batches):
    """Return the batches with integers that are numbers, such as pixels or counts, in float64.

    Integers that are indices, such as tokens, stay what they are. Two attempts tell: whether the network takes floating
    point numbers in their place, and whether its outputs are the same. Numbers can hide digits, and indices cannot.
    """
    inputs, targets = batches[0]
    if not any(map(_is_integer, jax.tree.leaves(batches[0]))):
        return batches
    outputs = jax.eval_shape(apply_fn, params, inputs)
    first = _numbers(lambda tree: apply_fn(jax.tree.map(jnp.asarray, params), tree), inputs)
    second = _numbers(lambda tree: loss(jax.tree.map(lambda x: jnp.ones(x.shape, x.dtype), outputs), tree), targets)
    return [(_converted(one, first), _converted(two, second)) for one, two in batches]


def _numbers(function, tree):
    """Return which of the leaves of a tree are integers that the function takes as numbers."""
    leaves = jax.tree.leaves(tree)
    found = [False] * len(leaves)
    for place in [place for place, leaf in enumerate(leaves) if _is_integer(leaf)]:
        attempt = [number == place or other for number, other in enumerate(found)]
        with contextlib.suppress(Exception):  # whatever a function says of numbers in the place of indices
            pair = (jax.jit(function)(each) for each in (tree, _converted(tree, attempt)))
            equal = jax.tree.map(lambda x, y: np.allclose(x, y, 1e-9, 1e-12, equal_nan=True), *pair)
            found = attempt if all(jax.tree.leaves(equal)) else found
    return found


def _converted(tree, chosen):
    leaves, structure = jax.tree.flatten(tree)
    new = [leaf.astype(float) if is_number else leaf for leaf, is_number in zip(leaves, chosen, strict=True)]
    return jax.tree.unflatten(structure, new)


def _is_integer(leaf):
    return np.issubdtype(leaf.dtype, np.integer)


def _in_parts(apply_fn, params, batches):
    """Yield the batches, those in parts whose activations would take too much memory (`matvecs.samples_at_once`)."""
    for inputs, targets in batches:
        samples, most = num_samples(inputs), samples_at_once(apply_fn, params, inputs)
        if most >= samples:
            yield inputs, targets
            continue
        # Parts of one size are compiled once.
        most = next((size for size in range(most, most // 2, -1) if samples % size == 0), most)
        for first in range(0, samples, most):
            yield tuple(part(tree, slice(first, first + most)) for tree in (inputs, targets))


# --- a penalty is the loss of the network that returns its parameters: its H_L is the penalty's Hessian


def _of_penalty(penalty, params):
    loss = premises.ignoring_targets(penalty)
    check_batch(loss, _itself, params, (), ())
    loss, apply_fn = premises.pure((loss, _itself), params, (), ())
    return Problem(loss, apply_fn, params, [((), ())])


def _itself(params, inputs):
    del inputs
    return params
