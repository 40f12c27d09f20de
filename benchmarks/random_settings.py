"""Matrix-free ranks beside dense ones, and both judged by exact ones, over random settings.

Depth, widths, activation, loss, biases, data and the guess are drawn. Exact ranks exist for linear, relu and leaky_relu
networks under the squared loss; they are found up to p = 300. Every setting is compiled anew: some five seconds each.

    python benchmarks/random_settings.py [--settings 200] [--seed 0]
"""

import argparse
import contextlib
import itertools
from typing import NamedTuple

import jax
import numpy as np

from architectures import fully_connected
from exact import UndecidedError, exact_ranks
from hessians import functional_hessian, loss_hessian, num_params, outer_prod
from initializers import get_init
from losses import get_loss, of_params
from ranks import HessianRanks, numerical_rank, sketched_ranks

ACTIVATIONS = "linear", "relu", "leaky_relu", "tanh", "elu", "gelu", "sigmoid"


class Comparison(NamedTuple):
    """One matrix at one setting."""

    setting: str
    dense: object  # NumericalRank
    sketched: object  # NumericalRank
    exact: int | None


def compare(rng, largest=1500):
    """Return the Comparisons of the three matrices at a setting drawn from a NumPy generator."""
    p = largest + 1
    while not 100 <= p <= largest:
        dim, outputs = rng.integers(4, 40), rng.integers(2, 8)
        widths = rng.integers(2, 25, size=rng.integers(1, 5)).tolist()
        bias = bool(rng.integers(2))
        p = sum((m_in + bias) * m_out for m_in, m_out in itertools.pairwise([dim, *widths, outputs]))
    n, activation = 2 * int(rng.integers(2, 30)), str(rng.choice(ACTIVATIONS))
    loss_name, init_name = (
        str(rng.choice(["mse", "cross", "cosh"])),
        str(rng.choice(["glorot", "uniform", "orthogonal"])),
    )
    loss = get_loss(loss_name)
    init_fn, apply_fn = fully_connected(widths, int(outputs), activation, get_init(init_name), bias=bias)
    _, params = init_fn(jax.random.PRNGKey(rng.integers(2**31)), (-1, dim))
    inputs, targets = rng.normal(size=(n, dim)), np.eye(outputs)[rng.integers(outputs, size=n)]
    matrices = HessianRanks(
        functional=functional_hessian(loss, apply_fn, params, inputs, targets),
        outer=outer_prod(loss, apply_fn, params, inputs, targets),
        loss=loss_hessian(of_params(loss, apply_fn), params, inputs, targets),
    )
    dense = [numerical_rank(matrix) for matrix in matrices]
    assert num_params(params) == p
    guess = None if rng.integers(2) else HessianRanks(*(int(found.rank * rng.uniform(0.5, 1.2)) for found in dense))
    batches = [(inputs[: n // 2], targets[: n // 2]), (inputs[n // 2 :], targets[n // 2 :])]
    sketched = sketched_ranks(loss, apply_fn, params, batches, guess, jax.random.key(rng.integers(2**31)))
    exact = [None] * 3
    if loss_name == "mse" and activation in ("linear", "relu", "leaky_relu") and p <= 300:
        with contextlib.suppress(UndecidedError):  # a unit on its kink: no Hessian
            exact = [found.rank for found in exact_ranks(loss, apply_fn, params, inputs, targets, guess=guess)]
    shape = "-".join(map(str, [dim, *widths, outputs]))
    setting = f"{shape} {activation}{' with bias' if bias else ''}, {loss_name}, {init_name}, n = {n}, p = {p}"
    names = HessianRanks._fields
    return [Comparison(f"{setting}, {name}", *row) for name, *row in zip(names, dense, sketched, exact, strict=True)]


def main():
    """Print the counts, and every case in which the two ways differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rng, found = np.random.default_rng(options.seed), []
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C gives the figures of the settings so far
        for setting in range(options.settings):
            three = compare(rng)
            found += three
            for c in three:
                if c.dense.rank != c.sketched.rank:
                    print(
                        f"{c.setting}: dense {c.dense.rank} (gap {c.dense.gap:.0e}), matrix-free {c.sketched.rank} "
                        f"(gap {c.sketched.gap:.0e}), exact {c.exact}",
                        flush=True,
                    )
            if setting % 20 == 19:
                jax.clear_caches()  # the programs of other settings: a hundred megabytes, not wanted again
    differ = [c for c in found if c.dense.rank != c.sketched.rank]
    clear, judged = [c for c in found if c.dense.gap > 1e4], [c for c in found if c.exact is not None]
    print(f"{len(found) // 3} settings, {len(found)} matrices; dense gap above 1e4: {len(clear)}")
    print(f"  of these, equal: {sum(c.dense.rank == c.sketched.rank for c in clear)}")
    print(f"different: {len(differ)}")
    said = [c for c in differ if not (c.dense.well_determined and c.sketched.well_determined)]
    print(f"  of these, at least one of the two is marked as not well determined: {len(said)}")
    print(f"judged by exact ranks: {len(judged)}")
    for name in ("dense", "sketched"):
        wrong = [getattr(c, name) for c in judged if getattr(c, name).rank != c.exact]
        silent = [rank for rank in wrong if rank.well_determined]
        largest = max((rank.gap for rank in wrong), default=0)
        print(
            f"  {name}: wrong {len(wrong)}, the largest gap of these {largest:.0e}; wrong and not marked {len(silent)}"
        )


if __name__ == "__main__":
    main()
