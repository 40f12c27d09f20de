"""The gap and the time of the sketch of H_L, for Gaussian probes and for as many of `matrix_free.random_probes`.

python -m benchmarks.matrix_free.probes_compared [--small]
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np

from architectures import fully_connected
from closed_forms import linear_ranks
from data import get_dataset
from hessians import num_params
from initializers import get_init
from losses import squared
from matrix_free import loss_operator
from matrix_free.random_probes import probes
from matrix_free.sketches import symmetric_sketch
from ranks import numerical_rank

BLOCK = 64


def gaussian(products, p, size, key):
    """Return the sketch S for Gaussian probes, N = `size` of them.

    Their blocks of b are drawn anew for every product, so that memory stays O(b p + N^2).
    """
    draw = jax.jit(lambda j: jax.random.normal(jax.random.fold_in(key, j), (BLOCK, p)) / p**0.5)
    blocks, images = range(-(-size // BLOCK)), jax.jit(jnp.matmul)
    rows = []
    for j in blocks:
        image = products(draw(j))
        rows.append(np.concatenate([np.asarray(images(image, draw(k).T)) for k in blocks], axis=1))
    return np.concatenate(rows)[:size, :size]


def trigonometric(products, p, size, key):
    """Return S for the probes of this project, whose first block is also used to test the operator."""
    return symmetric_sketch(products, probes(p, key), size)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="one small network")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    print(f"{'p':>5} {'N / rank':>6} {'probes':<14}{'seconds':>8}{'rank':>6}{'gap':>10}")
    for widths, samples in [([16, 16], 50)] if options.small else [([28, 28], 50), ([56, 56], 100)]:
        data = get_dataset("gaussian", samples, 0, 64, 10)
        init_fn, apply_fn = fully_connected(widths, 10, "linear", get_init("glorot"))
        _, params = init_fn(jax.random.PRNGKey(0), (-1, 64))
        p, products = num_params(params), loss_operator(squared, apply_fn, params, [(data.x_train, data.y_train)])
        rank = linear_ranks(min(samples, 64), 10, widths).loss
        for oversampling in (1.1,) if options.small else (1.02, 1.1, 1.2):
            for way in (gaussian, trigonometric):
                size, start = int(oversampling * rank) + 10, time.perf_counter()
                found = numerical_rank(way(products, p, size, jax.random.key(0)))
                seconds = time.perf_counter() - start
                print(
                    f"{p:>5} {oversampling:>6} {way.__name__:<14}{seconds:>8.1f}{found.rank:>6}{found.gap:>10.0e}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
