"""Eigenvalues, densities and traces by this project and by three other libraries, side by side, and judged.

Each measurement is a process of its own, so that compilation counts and the peak memory is its own. The clock starts
after the imports. All use float64 and all cores. Residuals |H v - theta v| are computed by this project's operator, and
given relative to |theta| (the worst of the 2 k). The parts:

    python -m benchmarks.matrix_free.spectra_compared [--small] [--parts ranks extremes density trace linear examples]
"""

import argparse
import importlib.util
import itertools
import os
import time

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from adapters.torch_operators import operators
from architectures import convolutional, fully_connected
from benchmarks.experiments import side_by_side
from data import get_images
from experiments.cost import Cost, measure
from initializers import get_init, random_key
from linear_networks import spectrum
from losses import get_loss
from matrix_free import (
    distance,
    extreme_eigenvalues,
    functional_operator,
    loss_operator,
    spectral_density,
    trace,
)

NETWORKS = {"convolutional": [96, 280, 300], "tanh": [960, 960]}  # channels, or widths, for images of 8 x 8 pixels
PEERS = ["curvlinops", "eigenthings", "pyhessian"]
PARTS = ["ranks", "extremes", "density", "trace", "linear", "examples"]


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="small networks, to see that everything runs")
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS, help="some take half an hour")
    parser.add_argument("--samples", type=int, default=50)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    os.environ["PYTHONWARNINGS"] = "ignore::FutureWarning"  # of other libraries' imports, in the processes to come
    if "ranks" in options.parts and not options.small:  # of which side_by_side has a small version of its own
        side_by_side.main(["--sizes", "2"])
    cost_of = _in_this_process if options.small else measure
    peers = None
    if all(importlib.util.find_spec(name) for name in ("curvlinops", "pyhessian", "hessian_eigenthings")):
        from benchmarks.matrix_free import peers
    else:
        print("the other libraries are not installed (benchmarks/requirements.txt); they are left out")
    for kind in options.networks if {"extremes", "density", "trace"} & set(options.parts) else ():
        setting = _setting(kind, 20 if options.small else options.samples, small=options.small)
        p = sum(weights.size for weights in setting[0])
        print(f"\n{kind} network, p = {p}, {len(setting[2])} samples")
        k, probes, steps, products = (2, 2, 10, 12) if options.small else (10, 10, 50, 99)
        if "extremes" in options.parts:
            _compare_extremes(cost_of, peers, options.peers, setting, k)
        if "density" in options.parts:
            _compare_densities(cost_of, peers, options.peers, setting, probes, steps)
        if "trace" in options.parts:
            _compare_traces(cost_of, peers, options.peers, setting, products)
    if "linear" in options.parts:
        judge_linear(*((300, 40, 4) if options.small else (1_000_000, 25, 4)))
    if "examples" in options.parts and peers:
        _examples()


def _in_this_process(function, *arguments):
    """Return the Cost of a call, but for the memory: a small run need not start processes."""
    start = time.perf_counter()
    result = function(*arguments)
    return Cost(result, time.perf_counter() - start, np.nan, np.nan)


# --- this project's way: each runs in a process of its own


def our_extremes(params, inputs, labels, k, rtol):
    """Return the 2 k eigenvalues in ascending order, their vectors (p, 2 k), and the number of products."""
    counter = Counter()
    found = extreme_eigenvalues(*_ours(params, inputs, labels), k, rtol, bar=counter)
    values = np.concatenate([found.bottom.values, found.top.values[::-1]])
    return values, np.concatenate([found.bottom.vectors, found.top.vectors[::-1]]).T, counter.count


def our_density(params, inputs, labels, probes, steps):
    """Return nodes and weights (probes, steps) and the number of products."""
    counter = Counter()
    found = spectral_density(*_ours(params, inputs, labels), probes, steps, bar=counter)
    return found.nodes, found.weights, counter.count


def our_trace(params, inputs, labels, products):
    """Return an Estimate of the trace and the number of products."""
    counter = Counter()
    return trace(*_ours(params, inputs, labels), products, bar=counter), counter.count


class Counter:
    """Something with `update`, as a progress bar, that only counts."""

    count = 0

    def update(self, number):
        """Add the number of products that were just made."""
        self.count += number


def _ours(params, inputs, labels):
    """Return the operator of H_L and p."""
    kernels = [weights for weights in params if weights.ndim == 4]
    taps = [weights.shape[:2] for weights in kernels]
    *hidden, classes = (weights.shape[-1] for weights in params)
    if kernels:
        _, apply_fn = convolutional(hidden, taps, get_init("glorot"), classes, activation="tanh")
    else:
        _, apply_fn = fully_connected(hidden, classes, "tanh", get_init("glorot"))
    return loss_operator(get_loss("nll"), apply_fn, params, [(inputs, labels)]), sum(w.size for w in params)


def _setting(kind, samples, small):
    """Return params, inputs and labels, NumPy."""
    data = get_images("digits", samples, 0, 8, 10)
    labels = data.y_train.argmax(axis=1)
    sizes = [4, 4, 4] if small else NETWORKS[kind]
    images = np.asarray(data.x_train)
    if kind == "convolutional":
        init_fn, _ = convolutional(sizes, [(3, 3)] * len(sizes), get_init("glorot"), 10, activation="tanh")
    else:
        images = images.reshape(samples, -1)
        init_fn, _ = fully_connected(sizes, 10, "tanh", get_init("glorot"))
    _, params = init_fn(random_key(0), (-1, *images.shape[1:]))
    return [np.asarray(weights) for weights in params], images, labels


# --- the tables


def _compare_extremes(cost_of, peers, names, setting, k):
    print(f"\n{k} largest and {k} most negative eigenvalues to 1e-6")
    print(
        f"{'way':<14}{'seconds':>9}{'ratio':>7}{'peak GB':>9}{'products':>10}{'residual':>10}  largest, most negative"
    )
    # The tolerance of ours is relative to the largest |theta|, that of the others to each of them.
    ours = cost_of(our_extremes, *setting, k, 4e-7)
    rows = [("this project", ours)]
    if peers:
        rows += [(name, cost_of(getattr(peers, f"{name}_extremes"), *setting, k, 1e-6)) for name in names]
    operator, _ = _ours(*setting)
    for name, cost in rows:
        values, vectors, count = cost.result
        vectors = vectors if cost is ours else peers.to_ours(vectors, setting[0])
        images = np.concatenate([np.asarray(operator(vector[None])) for vector in vectors.T])
        residual = (np.linalg.norm(images - values[:, None] * vectors.T, axis=1) / abs(values)).max()
        print(
            f"{name:<14}{cost.seconds:>9.1f}{cost.seconds / ours.seconds:>7.1f}{1e-9 * cost.peak:>9.1f}{count:>10}"
            f"{residual:>10.0e}  {values.max():.6f}, {values.min():.6f}",
            flush=True,
        )


def _compare_densities(cost_of, peers, names, setting, probes, steps):
    print(f"\ndensity, {probes} probes of {steps} steps")
    print(f"{'way':<14}{'seconds':>9}{'ratio':>7}{'peak GB':>9}{'products':>10}")
    ours = cost_of(our_density, *setting, probes, steps)
    rows = [("this project", ours)]
    if peers:
        rows += [(name, cost_of(getattr(peers, f"{name}_density"), *setting, probes, steps)) for name in names]
    for name, cost in rows:
        print(
            f"{name:<14}{cost.seconds:>9.1f}{cost.seconds / ours.seconds:>7.1f}{1e-9 * cost.peak:>9.1f}"
            f"{cost.result[2]:>10}",
            flush=True,
        )


def _compare_traces(cost_of, peers, names, setting, products):
    print(f"\ntrace, {products} products")
    cost = cost_of(our_trace, *setting, products)
    found, _ = cost.result
    print(f"{'this project':<14}{cost.seconds:>9.1f} s  {found.value:.1f}, from {found.low:.1f} to {found.high:.1f}")
    for name in names if peers else ():
        cost = cost_of(getattr(peers, f"{name}_trace"), *setting, products)
        print(f"{name:<14}{cost.seconds:>9.1f} s  {cost.result[0]:.1f}, without an interval", flush=True)


def judge_linear(width, steps, probes):
    """Print how far the density of H_f of a linear network is from its exact spectrum, for more and more probes."""
    generator = np.random.default_rng(0)
    batch = generator.standard_normal((20, 64)), generator.standard_normal((20, 10))
    init_fn, apply_fn = fully_connected([width], 10, "linear", get_init("glorot"))
    params = [np.asarray(weights) for weights in init_fn(random_key(0), (-1, 64))[1]]
    p = ravel_pytree(params)[0].size
    start = time.perf_counter()
    exact = spectrum(params, batches=[batch], matrices=("functional",)).functional
    print(f"\nlinear network 64-{width}-10, p = {p}: exact spectrum of H_f in {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    density = spectral_density(functional_operator(get_loss("mse"), apply_fn, params, [batch]), p, probes, steps)
    print(f"density, {probes} probes of {steps} steps, in {time.perf_counter() - start:.1f} s")
    for count in sorted({1, 2, probes}):
        found = []
        for chosen in map(list, itertools.combinations(range(probes), count)):
            part = density._replace(nodes=density.nodes[chosen], weights=density.weights[chosen])
            found.append(distance(part, exact.eigenvalues, exact.multiplicities))
        print(f"  {count} of them: distance {np.mean(found):.1e} of the largest |eigenvalue|, on average", flush=True)


def _examples():
    """Print the libraries' documented examples, and what this project finds for them."""
    from benchmarks.matrix_free import peers_examples

    print("\nthe libraries' own examples: largest |eigenvalue| and trace, theirs and ours")
    for example in (
        peers_examples.curvlinops_eigenvalues,
        peers_examples.eigenthings_quickstart,
        peers_examples.eigenthings_script,
    ):
        theirs = example()
        product = operators(theirs.loss_fn, theirs.model, theirs.batches).loss
        p = sum(parameter.numel() for parameter in theirs.model.parameters())
        found, of_trace = extreme_eigenvalues(product, p, 1), trace(product, p, 99)
        top = max(found.top.values[0], found.bottom.values[0], key=abs)
        print(
            f"{example.__name__:<24} p = {p:<6} {theirs.top:.7f} {top:.7f}   {theirs.trace:.3f} {of_trace.value:.3f} "
            f"({of_trace.low:.3f} to {of_trace.high:.3f}), exactly {trace(product, p, p).value:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
