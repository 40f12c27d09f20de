"""The triangular factor of the data [X, Y], with all digits of X, and the rank of X where it is certain.

Everything depends on X^T X and X^T Y. Forming X^T X halves the digits: a direction of 1e-8 of the largest sinks below
rounding. In the triangular factor R of [X, Y] = Q R it does not, and R has the same X^T X and X^T Y.
"""

from typing import NamedTuple

import numpy as np

import checks
from batching import each_batch
from counting import default_rtol
from exact.finite_field import matmul, residues
from exact.matrix_ranks import random_primes, rank_modulo
from linear_networks.general_position import NotGenericError
from linear_networks.powers_of_two import exponents


class DataFactor(NamedTuple):
    """The factor of [X, Y], every column divided by a power of two."""

    inputs: np.ndarray  # (k, d), entries of moderate size: X = Q inputs 2^units
    targets: np.ndarray  # (k, K): Y = Q targets 2^target_units
    units: np.ndarray  # (d,) integers
    target_units: np.ndarray  # (K,) integers
    samples: int

    @property
    def used(self):
        """Which inputs are not zero in all samples, (d,)."""
        return self.inputs.any(axis=0)


def data_factor(batches, shape=None):
    """Return the DataFactor of all batches together. They are added one by one, and never held at once.

    Args:
        batches: pairs (inputs (n, d), targets (n, K)), float64: a list or a `torch.utils.data.DataLoader`.
        shape: the (d, K) that a network has.

    Raises:
        TypeError: for anything but float64.
        ValueError: for NaN or infinity, shapes that do not fit, or no batches.
    """
    if iter(batches) is batches:
        raise TypeError("batches can be gone through only once, and must be a list or a loader: pass list(batches)")
    factor, pending, samples = None, [], 0
    for inputs, targets in each_batch(batches):
        check_batch(inputs, targets, shape)
        shape = shape or (inputs.shape[1], targets.shape[1])
        samples += len(inputs)
        pending.append(np.concatenate([inputs, targets], axis=1))
        if sum(map(len, pending)) >= max(1000, sum(shape)):  # a factorization for each tiny batch would be slow
            factor, pending = _add(factor, pending), []
    rows, units = _add(factor, pending) if pending else factor
    d = shape[0]
    return DataFactor(rows[:, :d], rows[:, d:], units[:d], units[d:], samples)


def check_batch(inputs, targets, shape=None):
    """Check one batch. Arguments and errors as in `data_factor`."""
    checks.float64(inputs=inputs, targets=targets)
    checks.finite(inputs=inputs, targets=targets)
    if inputs.ndim != 2 or targets.ndim != 2 or len(inputs) != len(targets):
        raise ValueError(
            f"inputs of shape {inputs.shape} and targets of shape {targets.shape} do not fit; "
            "they must be (n, d) and (n, K)"
        )
    if shape is not None and (inputs.shape[1], targets.shape[1]) != tuple(shape):
        raise ValueError(
            f"this network or the first batch has d, K = {tuple(shape)}, inputs and outputs, but a batch has inputs "
            f"of shape {inputs.shape} and targets of shape {targets.shape}; they must be (n, d) and (n, K)"
        )


def singular_inputs(factor):
    """Return norms (d,) and the singular value decomposition (P, S, V^T) of the factor's inputs / norms.

    Every input counts relative to its own norm. An input that is zero has the norm 1.
    """
    norms = np.linalg.norm(factor.inputs, axis=0)
    norms = np.where(norms > 0, norms, 1.0)
    return norms, *np.linalg.svd(factor.inputs / norms, full_matrices=False)


def certain_rank(factor, singular, batches):
    """Return r = rank(X), or None if float64 and exact arithmetic do not agree on it.

    The numerical rank counts singular values above rounding. If there are as many as there can be, the smaller of n and
    the number of inputs that are not zero, it is the rank. Otherwise the others must be exactly zero. To see that, the
    samples are combined at random into d + 10, modulo two primes. The rank of these is that of X, almost surely.

    Args:
        factor: DataFactor of the batches.
        singular: S, as `singular_inputs` returns them.
        batches: as in `data_factor`.
    """
    numerical = int((default_rtol(factor.samples) * singular[0] < singular).sum())
    if numerical == most_directions(factor):
        return numerical
    return numerical if numerical == _exact_rank(batches, len(factor.units)) else None


def most_directions(factor):
    """Return the smaller of n and the number of inputs that are not zero, which the rank of X cannot exceed."""
    return min(factor.samples, int(factor.used.sum()))


def sure_rank(factor, singular, batches):
    """Return what `certain_rank` returns.

    Raises:
        NotGenericError: where that is None.
    """
    rank = certain_rank(factor, singular, batches)
    if rank is None:
        raise NotGenericError(
            "the rank of the inputs is in doubt: some of their singular values are rounding, relative to the largest "
            "and with every input divided by its norm, but exact arithmetic says that they are not zero. Leave out "
            "inputs that are sums of others to rounding, or round all inputs to fewer digits. exact.exact_ranks has "
            "the ranks of the data as they are"
        )
    return rank


def _add(factor, pending):
    """Return the factor, a pair (rows, exponents of the columns), with more rows. Columns grow by powers of two."""
    rows = np.concatenate(pending)
    units = exponents(rows, axis=0)
    if factor is None:
        return np.linalg.qr(np.ldexp(rows, -units), mode="r"), units
    old, old_units = factor
    units = np.maximum(units, old_units)
    scaled = [np.ldexp(old, old_units - units), np.ldexp(rows, -units)]
    return np.linalg.qr(np.concatenate(scaled), mode="r"), units


def _exact_rank(batches, d):
    found = []
    for prime in random_primes(2):
        rng = np.random.default_rng(prime)
        sketch = np.zeros((d + 10, d), np.int64)
        for inputs, _ in each_batch(batches):
            for first in range(0, len(inputs), 10_000):
                rows = residues(inputs[first : first + 10_000], prime)
                sketch = (sketch + matmul(rng.integers(prime, size=(d + 10, len(rows))), rows, prime)) % prime
        found.append(rank_modulo(sketch, prime))
    return max(found)
