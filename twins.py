"""A network's twin: the same network with other weights and data, at which nothing is small. Its ranks are bounds.

The entries of the three Hessians are analytic functions of the weights, the inputs and the targets, as long as no unit
of relu or its like switches. An analytic function that is not zero everywhere is zero almost nowhere. So every minor
that is nonzero at the network is nonzero at almost all of its twins, and

    rank(H at the network) <= rank(H at a random twin)    with probability one.

The twin has well-conditioned weights and inputs of size one, so that its numerical rank is easy to see. If the network
itself shows as many nonzero eigenvalues, none can hide below rounding. Entries that are zero stay zero, constant inputs
stay constant, equal ones equal, and the units that are off stay off. The arrays that a network contains, such as layers
that are not trained, are other ones as well.
"""

import functools
from typing import NamedTuple

import jax
import numpy as np

import losses
from frozen import UnfreezableError, contained, decides, frozen, hiding_factor, program
from problem import Problem

# Numbers in a network stay what they are in its twin. One beyond this leaves its square in a Hessian, one in the loss
# leaves itself, and there may be two of them: far from 1e-16, below which digits are lost.
_FACTOR = 1e4
_LARGE = 1e11  # operations: above this a Gaussian matrix takes the place of one with chosen singular values


class Twin(NamedTuple):
    """A network and its twin, in the form that one compilation serves."""

    itself: Problem
    other: Problem | None  # None if there is no twin
    why_none: str  # the reason for that


def twin(problem):
    """Return the Twin of a Problem. A penalty gets its own: `twin(problem.penalty)` has the same weights."""
    loss, apply_fn, params, batches = problem[:4]
    inputs, targets = batches[0]
    outputs = jax.eval_shape(apply_fn, params, inputs)
    of_loss, of_network = program(loss, outputs, targets), program(apply_fn, params, inputs)
    wrap_loss = not losses.is_analytic(loss) and bool(decides(of_loss) or contained(of_loss))
    wrap_network = bool(decides(of_network) or contained(of_network))

    def given(inputs, targets):
        """Return what the decisions for a batch rest on, and the arrays that its programs contain."""
        network = (params, inputs, contained(program(apply_fn, params, inputs))) if wrap_network else None
        if not wrap_loss:
            return network, None
        outputs = jax.jit(apply_fn)(params, inputs)
        return network, (outputs, targets, contained(program(loss, outputs, targets)))

    def wrapped(new, rests_on, replace):
        pairs = zip(new, rests_on, strict=True)
        return tuple(x if on is None else (x, *on[:2], list(map(replace, on[2]))) for x, on in pairs)

    new_loss = _frozen_loss(loss) if wrap_loss else loss
    new_apply = _frozen_network(apply_fn) if wrap_network else apply_fn
    rest_on = [given(*batch) for batch in batches]
    own = [wrapped(*pair, np.asarray) for pair in zip(batches, rest_on, strict=True)]
    itself = problem._replace(loss=new_loss, apply_fn=new_apply, batches=own, penalty=None)
    try:
        jax.eval_shape(lambda w, x, y: new_loss(new_apply(w, x), y), params, *itself.batches[0])
    except UnfreezableError as reason:
        return Twin(problem._replace(penalty=None), None, str(reason))
    factors = {
        "network": hiding_factor(of_network, most=_FACTOR),
        "loss": hiding_factor(of_loss, most=_FACTOR**2),
    }
    for name, factor in factors.items():
        if factor is not None:
            return Twin(itself, None, f"the {name} multiplies or divides by {factor:.1g}, which can hide eigenvalues")
    generator = np.random.default_rng(0)
    new_params = jax.tree.map(lambda leaf: _weights(generator, leaf), params)
    new_inputs = _data(generator, [inputs for inputs, _ in batches])
    new_targets = [jax.tree.map(lambda y: _target(generator, y), targets) for _, targets in batches]
    new = zip(new_inputs, new_targets, strict=True)
    drawn = {}  # one array for each that the network contains, in all batches

    def redrawn(array):
        array = np.asarray(array)
        key = array.shape, array.tobytes()
        if key not in drawn:
            drawn[key] = _weights(generator, array)
        return drawn[key]

    others = [wrapped(*pair, redrawn) for pair in zip(new, rest_on, strict=True)]
    return Twin(itself, itself._replace(scale=1.0, params=new_params, batches=others), "")


@functools.lru_cache(maxsize=256)
def _frozen_network(apply_fn):
    """Return F(params, (inputs, given params, given inputs, arrays)), with decisions as at the given ones."""
    g = frozen(apply_fn)
    return lambda params, inputs: g((params, inputs[0]), inputs[1:3], inputs[3])


@functools.lru_cache(maxsize=256)
def _frozen_loss(loss):
    """Return ell(outputs, (targets, given outputs, given targets, arrays)), with decisions as at the given ones."""
    g = frozen(loss)
    return lambda outputs, targets: g((outputs, targets[0]), targets[1:3], targets[3])


def _weights(generator, array):
    """Return random weights with the zeros of an array, and with the signs of a vector, which may have to be positive.

    The singular values of a matrix without zeros lie between 1/2 and 2.
    """
    if array.ndim < 2:
        return np.sign(array) * generator.uniform(0.5, 1.5, array.shape)
    if array.ndim == 2 and array.all() and array.size * min(array.shape) < _LARGE:
        return _well_conditioned(generator, *array.shape)
    return _masked(generator, array) / np.sqrt(max(1, array.size // array.shape[-1]))


def _data(generator, batches):
    """Return random inputs for those of all batches, drawn together for every array of their trees."""
    leaves = [jax.tree.leaves(inputs) for inputs in batches]
    if not leaves[0]:
        return batches
    if len({tuple(leaf.shape[1:] for leaf in each) for each in leaves}) > 1:  # such as texts of several lengths
        return [_data(generator, [inputs])[0] for inputs in batches]
    ends = np.cumsum([len(each[0]) for each in leaves])[:-1]
    new = [np.split(_inputs(generator, np.concatenate(column)), ends) for column in zip(*leaves, strict=True)]
    return [jax.tree.unflatten(jax.tree.structure(batches[0]), each) for each in zip(*new, strict=True)]


def _inputs(generator, array):
    """Return random inputs of size 1. Zeros stay zeros, constants constants, and equal columns equal.

    Integers stay what they are, such as tokens, and so do arrays of zeros and ones, such as masks.
    """
    if not np.issubdtype(array.dtype, np.floating) or ((array == 0) | (array == 1)).all():
        return array
    if array.ndim != 2:
        return _masked(generator, array)
    constant = (array == array[0]).all(axis=0) & (len(array) > 1)
    columns = [column.tobytes() for column in np.ascontiguousarray(array.T)]
    first = np.array([columns.index(column) for column in columns]) if len(set(columns)) < len(columns) else None
    if array.all() and not constant.any() and first is None and array.size * min(array.shape) < _LARGE:
        return _well_conditioned(generator, *array.shape) * np.sqrt(max(array.shape))  # entries of size 1
    new = _masked(generator, array)
    new = np.where(constant, new[0], new)
    return new if first is None else new[:, first]


def _target(generator, array):
    """Return random targets with the signs of the given ones: probabilities stay what they are, and so do integers."""
    if not np.issubdtype(array.dtype, np.floating):
        return array
    return np.sign(array) * generator.uniform(0.5, 1.5, array.shape)


def _masked(generator, array):
    return generator.standard_normal(array.shape) * (array != 0)


def _well_conditioned(generator, rows, columns):
    size = min(rows, columns)
    left, right = (np.linalg.qr(generator.standard_normal((side, size)))[0] for side in (rows, columns))
    return left * generator.uniform(0.5, 2, size) @ right.T
