"""Linear networks of integers, whose Hessians and signs are known by exact arithmetic.

The networks are made to be difficult: by their kind, or by bisection, which finds points next to a change of signs.
"""

import functools
import itertools

import flint
import numpy as np

from linear_networks import general_position, inertia
from tests.oracles import linear_hessians

# Between networks of the kinds in MOVING the signs change, so that bisection finds a change. Networks of the kinds in
# EXCEPTIONAL are at or near points where signs are undecided.
MOVING = "plain", "scaled inputs", "scaled weights", "small residuals", "large"
EXCEPTIONAL = "one scaled input", "low rank", "equal loops", "deficient"
KINDS = *MOVING, *EXCEPTIONAL
SCALE = 2**40  # number of steps on a line from one array of integers to another
DECLINED = general_position.NotGenericError, np.linalg.LinAlgError, ValueError


def hessians(weights, inputs, targets):
    """Return H_f, H_o and H_L under the squared loss, parameters in the order W_1, W_2, ..., row by row.

    Args:
        weights: [W_1, ..., W_L], W_l of shape (m_{l-1}, m_l); float64, or Python integers in object arrays.
        inputs: (n, d).
        targets: (n, K).
    """
    outputs = functools.reduce(np.matmul, weights, inputs)
    return linear_hessians.hessians(weights, None, inputs, outputs - targets, modulus=None)


def exact_inertia(matrix):
    """Return the numbers of positive, negative and zero eigenvalues of a symmetric matrix of integers.

    All roots of its characteristic polynomial are real. So by Descartes' rule of signs, the number of positive ones is
    that of the sign changes of its coefficients. The number of zero ones is that of the coefficients that vanish at the
    end.
    """
    coefficients = flint.fmpz_mat([[int(x) for x in row] for row in matrix]).charpoly().coeffs()
    nonzero = [c > 0 for c in coefficients if c != 0]
    positive = sum(one != other for one, other in itertools.pairwise(nonzero))
    zero = next(i for i, c in enumerate(coefficients) if c != 0)
    return positive, len(matrix) - positive - zero, zero


def random_network(rng, kind):
    """Return weights, inputs and targets of at most 45 parameters and 2 to 6 layers: integers in object arrays."""
    while True:
        layers = int(rng.integers(2, 7))
        sizes = rng.integers(1, 6 if layers < 4 else 4, size=layers + 1)
        if sizes[1:] @ sizes[:-1] <= 45:
            break
    integers = lambda low, high, *shape: rng.integers(low, high + 1, size=shape).astype(object)
    powers = lambda most, count: np.array([10 ** int(e) for e in rng.integers(0, most + 1, size=count)], dtype=object)
    weights = [integers(-5, 5, *shape) for shape in itertools.pairwise(sizes)]
    n = int(rng.integers(1, 9))
    inputs, targets = integers(-3, 3, n, sizes[0]), integers(-9, 9, n, sizes[-1])
    if kind == "scaled inputs":
        inputs = inputs * powers(4, sizes[0])
    if kind == "one scaled input":  # so large that float64 cannot always tell the others from rounding
        inputs[:, 0] *= 10 ** int(rng.integers(4, 12))
    if kind == "scaled weights":
        weights = [W * powers(2, W.shape[1]) for W in weights]
    if kind == "deficient":
        W = weights[int(rng.integers(layers))]
        W[-1] = W[0] * int(rng.integers(-2, 3))
    if kind == "equal loops":  # diagonal weights of 0 and +-1
        weights = [
            np.eye(*W.shape, dtype=object).astype(int).astype(object) * integers(-1, 1, len(W), 1) for W in weights
        ]
    outputs = functools.reduce(np.matmul, weights, inputs)
    if kind == "small residuals":
        targets = outputs + integers(-1, 1, *outputs.shape)
    if kind == "low rank":
        targets = outputs + integers(-3, 3, n, 1) @ integers(-3, 3, 1, sizes[-1])
    if kind == "large":
        targets = targets * 10 ** int(rng.integers(2, 8))
    return weights, inputs, targets


def signs(weights, inputs, targets):
    """Return `linear_networks.inertia` of such a network."""
    return inertia([W.astype(float) for W in weights], batches=[(inputs.astype(float), targets.astype(float))])


def next_to_a_sign_change(rng, kind):
    """Yield networks of integers at relative distances from 1e-1 to 1e-13, on both sides of a change of signs.

    One of the arrays, the targets or the weights of a layer, moves on a line between two arrays of integers. If the
    signs differ at its ends, bisection finds a point where they change. On the line a layer is
    W + t D / SCALE. To stay with integers it is SCALE W + t D here, and the targets are multiplied by SCALE too. The
    signs are the same.
    """
    while True:
        weights, inputs, targets = random_network(rng, kind)
        which = int(rng.integers(-1, len(weights)))  # -1: the targets
        old = weights[which] if which >= 0 else targets
        sizes = np.maximum(abs(old).max(axis=0) // 5, 1)  # each column changes in proportion to its own entries
        change = rng.integers(-9, 10, size=old.shape).astype(object) * sizes
        at = functools.partial(_moved, weights, inputs, targets, which, change)
        low, high = 0, SCALE
        first, last = _known_signs(at(low)), _known_signs(at(high))
        if first is not None and last is not None and first != last:
            break
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _known_signs(at(middle)) == first else (low, middle)
    for exponent in range(1, 14):
        for side in (-1, 1):
            yield at(low + side * int(rng.uniform(0.3, 1) * SCALE * 10.0**-exponent))


def _moved(weights, inputs, targets, which, change, step):
    """Return a network with the signs of the one that has `change` step / SCALE added to one array."""
    scaled = [SCALE * W if i == which % len(weights) else W for i, W in enumerate(weights)]
    targets = SCALE * targets
    if which < 0:
        return scaled, inputs, targets + step * change
    scaled[which] = scaled[which] + step * change
    return scaled, inputs, targets


def _known_signs(network):
    try:
        return [one[:3] for one in signs(*network)]
    except DECLINED:
        return None
