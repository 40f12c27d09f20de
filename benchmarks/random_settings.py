"""Matrix-free ranks beside dense ones, and both judged by exact ones, over random settings.

Depth, widths, activation, loss, biases, data and the guess are drawn. Exact ranks exist for linear, relu and leaky_relu
networks under the squared loss; they are found up to p = 300. Every network is compiled anew, which takes some ten
seconds, and used for several draws of weights and data.

    python benchmarks/random_settings.py [--settings 200] [--draws 4] [--seed 0]
"""

import argparse
import contextlib
import itertools
from typing import NamedTuple

import jax
import numpy as np

from architectures import fully_connected
from exact import UndecidedError, exact_ranks
from initializers import get_init
from losses import get_loss
from ranks import HessianRanks, dense_ranks, sketched_ranks

ACTIVATIONS = "linear", "relu", "leaky_relu", "tanh", "elu", "gelu", "sigmoid"


class Comparison(NamedTuple):
    """One matrix at one setting."""

    setting: str
    dense: object  # NumericalRank
    sketched: object  # NumericalRank
    exact: int | None


def compare(rng, largest=1500, draws=1):
    """Return the Comparisons of the three matrices of a random network, for some draws of its weights and data."""
    p = largest + 1
    while not 100 <= p <= largest:
        dim, outputs = (int(rng.integers(*limits)) for limits in [(4, 40), (2, 8)])
        widths = rng.integers(2, 25, size=rng.integers(1, 5)).tolist()
        bias = bool(rng.integers(2))
        p = sum((m_in + bias) * m_out for m_in, m_out in itertools.pairwise([dim, *widths, outputs]))
    n = 2 * int(rng.integers(2, 30))
    choices = ACTIVATIONS, ["mse", "cross", "cosh"], ["glorot", "uniform", "orthogonal"]
    activation, loss_name, init_name = (str(rng.choice(names)) for names in choices)
    init_fn, apply_fn = fully_connected(widths, outputs, activation, get_init(init_name), bias=bias)
    loss = get_loss(loss_name)
    has_exact = loss_name == "mse" and activation in ("linear", "relu", "leaky_relu") and p <= 300
    shape = "-".join(map(str, [dim, *widths, outputs]))
    setting = f"{shape} {activation}{' with bias' if bias else ''}, {loss_name}, {init_name}, n = {n}, p = {p}"
    found = []
    for _ in range(draws):
        _, params = init_fn(jax.random.PRNGKey(rng.integers(2**31)), (-1, dim))
        inputs, targets = rng.normal(size=(n, dim)), np.eye(outputs)[rng.integers(outputs, size=n)]
        dense = dense_ranks(loss, apply_fn, params, [(inputs, targets)])
        known = HessianRanks(*(int(rank.rank * rng.uniform(0.5, 1.2)) for rank in dense))
        guess = known if rng.integers(2) else None
        batches = [(inputs[: n // 2], targets[: n // 2]), (inputs[n // 2 :], targets[n // 2 :])]
        sketched = sketched_ranks(loss, apply_fn, params, batches, guess, jax.random.key(rng.integers(2**31)))
        exact = [None] * 3
        if has_exact:
            with contextlib.suppress(UndecidedError):  # a unit on its kink: no Hessian
                exact = [rank.rank for rank in exact_ranks(loss, apply_fn, params, inputs, targets, guess=guess)]
        for name, *row in zip(HessianRanks._fields, dense, sketched, exact, strict=True):
            found.append(Comparison(f"{setting}, {name}", *row))
    return found


def main():
    """Print the counts, and every case in which the two ways differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", type=int, default=200)
    parser.add_argument("--draws", type=int, default=4, help="of weights and data, for each network")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rng, found = np.random.default_rng(options.seed), []
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C gives the figures of the settings so far
        for network in range(options.settings // options.draws):
            new = compare(rng, draws=options.draws)
            found += new
            for c in new:
                if c.dense.rank != c.sketched.rank:
                    print(
                        f"{c.setting}: dense {c.dense.rank} (gap {c.dense.gap:.0e}), matrix-free {c.sketched.rank} "
                        f"(gap {c.sketched.gap:.0e}), exact {c.exact}",
                        flush=True,
                    )
            if network % 20 == 19:
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
