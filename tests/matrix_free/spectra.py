"""Matrices of known spectra, whose products take no more time than a vector, and what counts these products."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

KINDS = (
    "normal", "clusters", "outliers", "rank deficient", "decay with both signs", "many scales", "low rank",
    "plus minus one", "evenly spaced", "rank one",
)  # fmt: skip


def spectrum(kind, p, generator):
    """Return p eigenvalues in random order."""
    sizes, low = np.arange(1, p + 1), max(1, p // 20)
    values = {
        "normal": lambda: generator.standard_normal(p),
        "clusters": lambda: generator.choice([-1, 0, 0.3, 0.31, 2], p) + 1e-6 * generator.standard_normal(p),
        "outliers": lambda: np.where(sizes < 5, 10.0 * sizes, generator.standard_normal(p)),
        "rank deficient": lambda: generator.standard_normal(p) * (generator.random(p) < 0.3),
        "decay with both signs": lambda: generator.choice([-1, 1], p) / sizes**1.5,
        "many scales": lambda: 10 ** generator.uniform(-10, 0, p),
        "low rank": lambda: np.concatenate([5 * generator.random(low), np.zeros(p - low)]),
        "plus minus one": lambda: generator.choice([-1.0, 1.0], p),
        "evenly spaced": lambda: np.linspace(-1, 3, p),
        "rank one": lambda: np.where(sizes == 1, 1.0, 0.0),
    }[kind]()
    return generator.permutation(values)


def random_spectra(count):
    """Yield (number, eigenvalues in increasing order, their operator), with p from 5 to 2000, of all kinds in turn."""
    for number in range(count):
        generator = np.random.default_rng(number)
        p = int(np.exp(generator.uniform(np.log(5), np.log(2000))))
        values = spectrum(KINDS[number % len(KINDS)], p, generator)
        yield number, np.sort(values), turned(values, generator)


def turned(values, generator):
    """Return the operator V -> V H, NumPy only, of Q diag(values) Q^T, where Q is a product of two reflections."""
    mirrors = generator.standard_normal((2, len(values)))
    mirrors /= np.linalg.norm(mirrors, axis=1, keepdims=True)

    def reflect(rows, mirror):
        return rows - 2 * np.outer(rows @ mirror, mirror)

    def multiply(V):
        assert isinstance(V, np.ndarray)
        return reflect(reflect(reflect(reflect(V, mirrors[0]), mirrors[1]) * values, mirrors[1]), mirrors[0])

    return multiply


def compiled(values, generator):
    """Return a JAX operator of the same kind, with a product that compiled functions take."""
    mirror = generator.standard_normal(len(values))
    product = Partial(_image, jnp.asarray(values), jnp.asarray(mirror / np.linalg.norm(mirror)))
    many = jax.jit(jax.vmap(product))

    def multiply(V):
        return many(V)

    multiply.traceable = lambda: product
    return multiply


def _image(values, mirror, v):
    w = values * (v - 2 * (mirror @ v) * mirror)
    return w - 2 * (mirror @ w) * mirror


class Bar:
    """A progress bar that only counts."""

    def __init__(self):
        self.n = 0

    def update(self, n):
        self.n += n

    def __bool__(self):
        """A `tqdm.tqdm` without a total has no truth value."""
        raise TypeError
