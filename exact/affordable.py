"""Exact ranks where they take seconds, for tables that show them beside numerical ones."""

import contextlib

import hessians
from exact.network_ranks import exact_ranks
from exact.programs import is_rational, problem

_RESIDUES = 2500, 3e5  # the largest p, and the largest number of parameters times samples; up to ten seconds
_BALLS = 150, 6e3  # the same for networks with exp, tanh and their like


def quick_ranks(loss, apply_fn, params, batches, guess=None, reduction="sum"):
    """Return the exact ranks of H_f, H_o and H_L, or None where they would take more than some ten seconds.

    Residues take this long at p = 2500, and balls at p = 150 with 40 samples (`exact_ranks`).

    Args:
        loss, apply_fn, params, batches, guess, reduction: as in `exact_ranks`.

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
    batches = list(hessians.each_batch(batches))
    this = problem(loss, apply_fn, params, batches, reduction)
    p, samples = hessians.num_params(params), sum(len(inputs) for inputs, _ in batches)
    with contextlib.suppress(ValueError):  # UndecidedError is one, and what `exact_ranks` says of functions it lacks
        most, product = _RESIDUES if is_rational(this, 1) else _BALLS
        if p <= most and p * samples <= product:
            return exact_ranks(loss, apply_fn, params, batches, guess, reduction=reduction)
    return None
