"""Time and peak memory of the exact ranks, at the sizes of the first notebook and of the paper's width sweep.

Each network is a fresh process. "First" is the first call in it, without the imports, "again" the second. Residues take
two primes, balls 300 digits. Linear networks have their closed form as a guess.

    python -m benchmarks.exact.exact_ranks [--dataset gaussian] [--small]
"""

import argparse
import time

import jax

from closed_forms import linear_ranks
from exact import exact_ranks
from experiments.cost import measure
from hessians import num_params
from losses import get_loss

NETWORKS = (  # dim, hidden widths, samples, activation, bias, loss
    (25, [5, 10], 50, "linear", False, "mse"),
    (25, [5, 10], 50, "relu", True, "mse"),
    (25, [5, 10], 50, "tanh", False, "mse"),
    (25, [5, 10], 50, "linear", False, "cross"),
    (64, [28, 28], 50, "linear", False, "mse"),
    (64, [56, 56], 100, "linear", False, "mse"),
)


def exact_twice(dataset, dim, widths, samples, activation, bias, loss_name):
    """Return the number of parameters, the seconds of the first and the second call, the ranks and the closed forms."""
    from architectures import fully_connected
    from data import get_dataset
    from initializers import get_init

    data = get_dataset(dataset, samples, 0, dim, 10)
    init_fn, apply_fn = fully_connected(widths, 10, activation, get_init("glorot"), bias=bias)
    _, params = init_fn(jax.random.PRNGKey(1), (-1, dim))
    has_form = activation == "linear" and not bias
    guess, seconds = linear_ranks(min(samples, dim), 10, widths, loss_name) if has_form else None, []
    for _ in range(2):
        start = time.perf_counter()
        found = exact_ranks(get_loss(loss_name), apply_fn, params, [(data.x_train, data.y_train)], guess)
        seconds.append(time.perf_counter() - start)
    return num_params(params), seconds, [rank.rank for rank in found], list(guess) if guess else "-"


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="gaussian")
    parser.add_argument("--small", action="store_true", help="the first two networks alone")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    head = f"{'p':>5} {'network':<24} {'first, s':>9} {'again, s':>9} {'peak MB':>8}"
    print(f"{head}  exact ranks (H_f, H_o, H_L), closed forms")
    for network in NETWORKS[:2] if options.small else NETWORKS:
        *_, activation, bias, loss_name = network
        cost = measure(exact_twice, options.dataset, *network)
        p, (first, again), found, guess = cost.result
        name = f"{activation}{' with bias' if bias else ''}, {loss_name}"
        row = f"{p:>5} {name:<24} {first:>9.2f} {again:>9.2f} {1e-6 * cost.peak:>8.0f}"
        print(f"{row}  {found} {guess}", flush=True)


if __name__ == "__main__":
    main()
