"""Matrix-free ranks beside dense ones at a random setting, where exact ranks judge both.

Depth, widths, activation, loss, biases, data and the guess are drawn. Exact ranks exist for linear, relu and leaky_relu
networks under the squared loss. They are found up to p = 300.
"""

import contextlib
import itertools
from typing import NamedTuple

import jax
import numpy as np

from architectures import ACTIVATIONS, PIECEWISE_LINEAR, fully_connected
from exact import UndecidedError, exact_ranks
from hessians import HessianTriple
from initializers import INITIALIZERS, get_init
from losses import LOSSES, get_loss
from matrix_free import sketched_ranks
from ranks import dense_ranks


class Comparison(NamedTuple):
    """One matrix at one setting."""

    setting: str
    dense: object  # NumericalRank
    sketched: object  # NumericalRank
    exact: int | None


def compare(rng, largest=1500, draws=1):
    """Return the Comparisons of the three matrices of a random network, for some draws of its weights and data.

    Args:
        rng: numpy.random.Generator.
        largest: number of parameters at most; 100 at least.
        draws: number of draws.
    """
    p = largest + 1
    while not 100 <= p <= largest:
        dim, outputs = (int(rng.integers(*limits)) for limits in [(4, 40), (2, 8)])
        widths = rng.integers(2, 25, size=rng.integers(1, 5)).tolist()
        bias = bool(rng.integers(2))
        p = sum((m_in + bias) * m_out for m_in, m_out in itertools.pairwise([dim, *widths, outputs]))
    n = 2 * int(rng.integers(2, 30))
    choices = list(ACTIVATIONS), list(LOSSES), list(INITIALIZERS)
    activation, loss_name, init_name = (str(rng.choice(names)) for names in choices)
    init_fn, apply_fn = fully_connected(widths, outputs, activation, get_init(init_name), bias=bias)
    loss = get_loss(loss_name)
    has_exact = loss_name == "mse" and activation in PIECEWISE_LINEAR and p <= 300
    shape = "-".join(map(str, [dim, *widths, outputs]))
    setting = f"{shape} {activation}{' with bias' if bias else ''}, {loss_name}, {init_name}, n = {n}, p = {p}"
    found = []
    for _ in range(draws):
        _, params = init_fn(jax.random.PRNGKey(rng.integers(2**31)), (-1, dim))
        inputs, targets = rng.normal(size=(n, dim)), np.eye(outputs)[rng.integers(outputs, size=n)]
        dense = dense_ranks(loss, apply_fn, params, [(inputs, targets)])
        known = HessianTriple(*(int(rank.rank * rng.uniform(0.5, 1.2)) for rank in dense))
        guess = known if rng.integers(2) else None
        batches = [(inputs[: n // 2], targets[: n // 2]), (inputs[n // 2 :], targets[n // 2 :])]
        sketched = sketched_ranks(loss, apply_fn, params, batches, guess, jax.random.key(rng.integers(2**31)))
        exact = [None] * 3
        if has_exact:
            with contextlib.suppress(UndecidedError):  # a unit sits on its kink: there is no Hessian
                exact = [rank.rank for rank in exact_ranks(loss, apply_fn, params, [(inputs, targets)], guess)]
        for name, *row in zip(HessianTriple._fields, dense, sketched, exact, strict=True):
            found.append(Comparison(f"{setting}, {name}", *row))
    return found
