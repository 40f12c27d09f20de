"""What the checks of a reader's functions, and the twin, take of three dense ranks, compiling included.

python -m benchmarks.ranks.cost_of_checks [--small]
"""

import argparse
import time

import jax
import numpy as np

import hessians
import premises
import ranks
from architectures import fully_connected
from hessians import num_params
from initializers import get_init
from losses import squared


def timed(module, name, seconds):
    """Let a function of a module add the time that it takes to seconds[name]."""
    function = getattr(module, name)

    def wrapped(*arguments, **options):
        start = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start

    setattr(module, name, wrapped)


def main():
    """Print the seconds and the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="p = 275 instead of 2856")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    dim, widths = (25, [5, 10]) if options.small else (64, [28, 28])
    rng, seconds = np.random.default_rng(0), {}
    init_fn, apply_fn = fully_connected(widths, 10, "linear", get_init("glorot"))
    _, params = init_fn(jax.random.key(0), (-1, dim))
    batches = [(rng.standard_normal((50, dim)), rng.standard_normal((50, 10)))]
    # What any computation pays first, on one batch that has nothing to do with it.
    ranks.dense_ranks(squared, lambda w, x: x @ w, np.ones((2, 1)), [(np.eye(2), np.ones((2, 1)))] * 2)
    for name in ("pure", "check_sum", "check_derivatives"):
        timed(premises, name, seconds)
    timed(ranks, "counted", seconds)
    for repetition in ("compiled anew", "again"):
        seconds.clear()
        start = time.perf_counter()
        # Two batches, of the same shape, so that sums are checked, too.
        ranks.dense_ranks(squared, apply_fn, params, [(x[half], y[half]) for x, y in batches for half in HALVES])
        total = time.perf_counter() - start
        checks = sum(seconds[name] for name in ("pure", "check_sum", "check_derivatives"))
        print(f"p = {num_params(params)}, {repetition}: {total:.2f} s, checks {checks:.2f} s ({checks / total:.1%})")
        print("  " + ", ".join(f"{name} {value:.2f}" for name, value in seconds.items()))
    seconds.clear()
    start = time.perf_counter()
    bound = hessians.HessianTriple(*(found.rank for found in ranks.dense_ranks(squared, apply_fn, params, batches)))
    twin = time.perf_counter() - start
    start = time.perf_counter()
    ranks.dense_ranks(squared, apply_fn, params, batches, bound=bound)
    print(f"one batch, compiled: {twin:.2f} s with the twin, {time.perf_counter() - start:.2f} s with a bound")


HALVES = slice(None, None, 2), slice(1, None, 2)

if __name__ == "__main__":
    main()
