"""Exact ranks of networks and losses with exp, tanh and erf, p up to 300, beside closed forms and float64 ranks.

Every activation meets every loss, with one hidden layer and with two. Linear networks under cross-entropy also have
their outputs multiplied by 10 and by 40, which saturates the softmax.

    python -m benchmarks.exact.smooth_networks [--small]
"""

import argparse
import itertools
import time

import jax
import numpy as np

from architectures import fully_connected
from closed_forms import linear_ranks
from exact import exact_ranks
from initializers import get_init
from losses import LOSSES, get_loss
from ranks import dense_ranks

ACTIVATIONS = "linear", "tanh", "sigmoid", "elu", "gelu"
WIDTHS = [8], [5, 10]  # p = 280 and 275, with 25 inputs and 10 outputs


def problem(activation, loss_name, widths, scale, dim, classes, samples):
    """Return (loss, apply_fn, params, batches) on Gaussian data, the last layer multiplied by `scale`."""
    init_fn, apply_fn = fully_connected(widths, classes, activation, get_init("glorot"))
    *params, last = init_fn(jax.random.PRNGKey(1), (-1, dim))[1]
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(samples, dim)), np.eye(classes)[rng.integers(classes, size=samples)]
    return get_loss(loss_name), apply_fn, [*params, scale * last], [(inputs, targets)]


def main():
    """Print a line for each network; stop with an error if a closed form is not attained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="three networks of 16 parameters")
    small = parser.parse_args().small
    jax.config.update("jax_enable_x64", True)
    dim, classes, samples = (3, 3, 6) if small else (25, 10, 50)
    settings = [(*pair, 1.0) for pair in itertools.product(ACTIVATIONS, LOSSES)]
    settings += [("linear", "cross", scale) for scale in (10.0, 40.0)]
    if small:
        settings = [("linear", "cross", 1.0), ("tanh", "cosh", 1.0), ("linear", "cross", 40.0)]
    for (activation, loss_name, scale), widths in itertools.product(settings, [[2, 2]] if small else WIDTHS):
        this = problem(activation, loss_name, widths, scale, dim, classes, samples)
        start = time.perf_counter()
        found = exact_ranks(*this)
        seconds = time.perf_counter() - start
        ranks, float64 = ([each.rank for each in triple] for triple in (found, dense_ranks(*this)))
        name = f"{activation}, {loss_name}, {'-'.join(map(str, [dim, *widths, classes]))}, outputs x {scale:g}"
        gaps = ", ".join("-" if each.gap is None else f"{each.gap:.0f}" for each in found)
        evidence = f"{found.loss.digits} digits, gaps {gaps}" if found.loss.digits else "two primes"
        print(f"{name:<44} {seconds:6.1f} s  exact {ranks}  float64 {float64}  {evidence}", flush=True)
        if activation == "linear" and ranks != list(linear_ranks(min(dim, samples), classes, widths, loss_name)):
            raise SystemExit(f"the closed forms are {linear_ranks(min(dim, samples), classes, widths, loss_name)}")


if __name__ == "__main__":
    main()
