"""Time and peak memory of the exact ranks, at the sizes of the first notebook and of the paper's width sweep.

Each size is a fresh process. "First" counts compilation, "again" does not. Every call takes two primes and the closed
form as a guess.

    python -m benchmarks.exact.exact_ranks [--dataset gaussian] [--small]
"""

import argparse
import time

import jax

from closed_forms import linear_ranks
from exact import exact_ranks
from experiments.cost import measure
from hessians import num_params
from losses import squared

SIZES = (25, [5, 10], 50), (64, [28, 28], 50), (64, [56, 56], 100)  # dim, hidden widths, samples


def exact_twice(dataset, dim, widths, samples):
    """Return the number of parameters, the seconds of the first and the second call, the ranks and the closed forms."""
    from architectures import fully_connected
    from data import get_dataset
    from initializers import get_init

    data = get_dataset(dataset, samples, 0, dim, 10)
    init_fn, apply_fn = fully_connected(widths, 10, "linear", get_init("glorot"))
    _, params = init_fn(jax.random.PRNGKey(1), (-1, dim))
    guess, seconds = linear_ranks(min(samples, dim), 10, widths), []
    for _ in range(2):
        start = time.perf_counter()
        found = exact_ranks(squared, apply_fn, params, [(data.x_train, data.y_train)], guess)
        seconds.append(time.perf_counter() - start)
    return num_params(params), seconds, [rank.rank for rank in found], list(guess)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="gaussian")
    parser.add_argument("--small", action="store_true", help="the smallest network alone")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    print(f"{'p':>5} {'first, s':>9} {'again, s':>9} {'peak MB':>8}  exact ranks (H_f, H_o, H_L), closed forms")
    for size in SIZES[:1] if options.small else SIZES:
        cost = measure(exact_twice, options.dataset, *size)
        p, (first, again), found, guess = cost.result
        print(f"{p:>5} {first:>9.1f} {again:>9.1f} {1e-6 * cost.peak:>8.0f}  {found} {guess}", flush=True)


if __name__ == "__main__":
    main()
