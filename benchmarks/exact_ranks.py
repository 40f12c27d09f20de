"""Time and peak memory of the exact ranks, at the sizes of the first notebook and of the paper's width sweep.

Each size is a fresh process; "first" counts compilation, "again" does not. Two primes each, the closed form as a guess.

    python benchmarks/exact_ranks.py [--dataset gaussian]
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import jax

from dense import peak_memory

SIZES = {  # p: dim, widths, samples
    275: (25, [5, 10], 50),
    2856: (64, [28, 28], 50),
    7280: (64, [56, 56], 100),
}


def measure(dataset, dim, widths, samples):
    """Return seconds with and without compilation, peak memory in MB, and the three ranks."""
    from architectures import fully_connected
    from bounds import linear_ranks
    from data import get_dataset
    from exact import exact_ranks
    from initializers import get_init
    from losses import squared

    data = get_dataset(dataset, samples, 0, dim, 10)
    init_fn, apply_fn = fully_connected(widths, 10, "linear", get_init("glorot"))
    _, params = init_fn(jax.random.PRNGKey(1), (-1, dim))
    guess = linear_ranks(min(samples, dim), 10, widths)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        found = exact_ranks(squared, apply_fn, params, data.x_train, data.y_train, guess=guess)
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds, "peak": peak_memory(), "ranks": [rank.rank for rank in found], "guess": list(guess)}


def main():
    """Run the whole table, or one measurement of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="gaussian")
    parser.add_argument("--one", type=int, metavar="P", help="one measurement, printed as JSON")
    arguments = parser.parse_args()
    if arguments.one:
        jax.config.update("jax_enable_x64", True)
        print(json.dumps(measure(arguments.dataset, *SIZES[arguments.one])))
        return
    print(f"{'p':>5} {'first, s':>9} {'again, s':>9} {'peak MB':>8}  exact ranks (H_f, H_o, H_L), closed forms")
    for p in SIZES:
        command = [sys.executable, Path(__file__), "--dataset", arguments.dataset, "--one", str(p)]
        run = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        first, again = run["seconds"]
        print(f"{p:>5} {first:>9.1f} {again:>9.1f} {run['peak']:>8.0f}  {run['ranks']} {run['guess']}", flush=True)


if __name__ == "__main__":
    main()
