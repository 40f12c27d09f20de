"""Exact ranks where they take seconds, for tables that show them beside numerical ones."""

import contextlib

from batching import num_samples
from exact.network_ranks import exact_ranks_of
from exact.programs import is_rational
from matvecs import num_params
from problem import pose

_RESIDUES = 2500, 3e5  # the largest p, and the largest number of parameters times samples; up to ten seconds
_BALLS = 150, 6e3  # the same for networks with exp, tanh and their like


def quick_ranks(loss, apply_fn, params, batches, guess=None, reduction="sum", only=None):
    """Return the exact ranks of H_f, H_o and H_L, or None where they would take more than some ten seconds.

    Residues take this long at p = 2500, and balls at p = 150 with 40 samples (`exact_ranks`).

    Args:
        loss, apply_fn, params, batches, guess, reduction, only: as in `exact_ranks`.

    Returns:
        HessianTriple of ExactRank, or None. It is also None where the network has no exact form.

    Raises:
        TypeError, ValueError: for arrays, functions and batches as in `hessians.dense_hessians`.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from exact import quick_ranks
        >>> from losses import get_loss
        >>> apply_fn = lambda w, inputs: inputs @ w
        >>> found = quick_ranks(get_loss("mse"), apply_fn, np.zeros((2, 1)), [(np.eye(2), np.ones((2, 1)))])
        >>> [rank.rank for rank in found]
        [0, 2, 2]
    """
    problem = pose(loss, apply_fn, params, batches, reduction, only)
    p, samples = num_params(problem.params), sum(num_samples(inputs) for inputs, _ in problem.batches)
    with contextlib.suppress(ValueError):  # UndecidedError is one, and what `exact_ranks` says of functions it lacks
        most, product = _RESIDUES if is_rational(problem, 1) else _BALLS
        if p <= most and p * samples <= product:
            return exact_ranks_of(problem, guess)
    return None
