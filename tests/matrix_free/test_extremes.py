import functools

import jax
import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import LinearOperator, eigsh

from hessians import dense_hessians, num_params
from matrix_free import extreme_eigenvalues, functional_operator, krylov_bases, loss_operator, outer_operator
from ranks import NotSymmetricError
from tests.matrix_free.spectra import KINDS, Bar, random_spectra, spectrum, turned
from tests.problems import problem

P = 1000
NAMED = {
    "zero": np.zeros(P),
    "identity": np.ones(P),
    "half +1, half -1": np.repeat([1.0, -1.0], P // 2),
    "rank one": np.eye(1, P)[0],
    "three and zeros": np.concatenate([[3.0, -2.0, 1.0], np.zeros(P - 3)]),
    "evenly spaced": np.linspace(-1, 1, P),
    "ten copies of four": np.concatenate([np.repeat([-1, -0.5, 0.5, 1], 10), np.linspace(-1e-3, 1e-3, P - 40)]),
    "twelve copies at one end": np.concatenate([-np.ones(12), np.linspace(-0.9, 1, P - 12)]),
    "pairs": np.concatenate([[-1, -1, -0.9, -0.9, 1, 1, 1], np.linspace(-0.02, 0.02, P - 7)]),
    "positive": np.linspace(1, 2, P) ** 3,
    "of size 1e-100": 1e-100 * np.linspace(-1, 1, P) ** 3,
}


def operator(name):
    return turned(NAMED[name], np.random.default_rng(1))


def check(found, values, k, beyond=0.0):
    """Check both ends against all eigenvalues; `beyond` is what the order of close ones may add to the errors.

    The order is checked for pairs that have converged. Of others it is known that some eigenvalue is so near.
    """
    values = np.sort(values)
    for pairs, expected in [(found.top, values[::-1][:k]), (found.bottom, values[:k])]:
        assert (abs(pairs.values - expected) <= pairs.errors + beyond)[pairs.converged].all()
        assert (abs(pairs.values[:, None] - values).min(axis=1) <= pairs.errors).all()
        assert pairs.vectors.shape == (k, len(values))
        assert_allclose(pairs.vectors @ pairs.vectors.T, np.eye(k), atol=1e-12)


@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("k", [1, 10])
@pytest.mark.parametrize("name", NAMED)
def test_named_spectra(name, k, block):
    bar = Bar()
    found = extreme_eigenvalues(operator(name), P, k, bar=bar, block=block)
    check(found, NAMED[name], k)
    for pairs in found:
        assert pairs.converged.all()
        residuals = np.linalg.norm(operator(name)(pairs.vectors) - pairs.values[:, None] * pairs.vectors, axis=1)
        assert (residuals <= pairs.errors).all()
        assert (residuals <= 1e-6 * abs(NAMED[name]).max()).all()
        assert (pairs.errors <= 1.1e-6 * abs(NAMED[name]).max()).all()
    assert bar.n < 900


def test_random_spectra():
    """The order of eigenvalues closer than the tolerance 1e-6 |H|, as in a cluster, is known to about that only."""
    for number, values, multiply in random_spectra(100):
        k = min(len(values), (1, 3, 10)[number % 3])
        found = extreme_eigenvalues(multiply, len(values), k, key=jax.random.key(number), products=1000)
        close = KINDS[number % len(KINDS)] in ("clusters", "many scales", "decay with both signs")
        check(found, values, k, beyond=2e-6 * abs(values).max() if close else 0.0)
        assert found.top.converged.all()


@pytest.mark.parametrize("p", [1, 2, 5, 65, 400])
def test_small_matrices_are_formed(p):
    values, bar = spectrum("normal", p, np.random.default_rng(p)), Bar()
    found = extreme_eigenvalues(turned(values, np.random.default_rng(2)), p, min(p, 5), bar=bar)
    check(found, values, min(p, 5))
    assert max(found.top.errors.max(), found.bottom.errors.max()) < 1e-13 * abs(values).max()
    assert p <= bar.n < p + 64


def test_all_eigenvalues_at_both_ends():
    found = extreme_eigenvalues(lambda V: V * np.arange(6.0), 6, 6)
    assert_allclose(found.top.values, np.arange(6)[::-1], atol=1e-14)
    assert_allclose(found.bottom.values, np.arange(6), atol=1e-14)


@pytest.mark.parametrize("ends", ["top", "bottom"])
@pytest.mark.parametrize("p", [50, P])
def test_one_end_takes_fewer_products(ends, p):
    values, bars = spectrum("normal", p, np.random.default_rng(3)), [Bar(), Bar()]
    multiply = turned(values, np.random.default_rng(4))
    one = extreme_eigenvalues(multiply, p, 4, ends=ends, bar=bars[0])
    both = extreme_eigenvalues(multiply, p, 4, bar=bars[1])
    assert_allclose(getattr(one, ends).values, getattr(both, ends).values, atol=1e-9)
    other = one.bottom if ends == "top" else one.top
    assert [part.shape for part in other] == [(0,), (0, p), (0,), (0,)]
    assert bars[0].n < bars[1].n or p == 50


def test_a_tolerance_relative_to_the_whole_matrix():
    """The top of H = diag(-1e6, small numbers) converges to 1e-6 of |H|, and no further."""
    values = np.append(-1e6, np.linspace(0, 1, P - 1))
    found = extreme_eigenvalues(lambda V: V * values, P, 2, ends="top")
    assert found.top.converged.all()
    assert (abs(found.top.values[:, None] - values).min(axis=1) <= found.top.errors).all()
    assert (found.top.errors < 1.1).all()


def test_what_arpack_finds_takes_arpack_as_many_products():
    values = spectrum("normal", P, np.random.default_rng(5))
    multiply, counted, bar = turned(values, np.random.default_rng(6)), Bar(), Bar()

    def product(v):
        counted.update(1)
        return multiply(v.reshape(1, -1))[0] + 10 * v.ravel()

    theirs = eigsh(LinearOperator((P, P), product, dtype=float), 20, which="BE", ncv=80, tol=3e-7, v0=np.ones(P))[0]
    found = extreme_eigenvalues(multiply, P, 10, bar=bar)
    assert_allclose(np.sort(np.append(found.top.values, found.bottom.values)), np.sort(theirs) - 10, atol=1e-9)
    assert bar.n < 1.5 * counted.n


@pytest.mark.parametrize("products", [44, 60, 100, 173])
@pytest.mark.parametrize("block", [1, 2])
def test_without_enough_products_the_errors_are_true_all_the_same(products, block):
    values, bar = NAMED["evenly spaced"], Bar()
    found = extreme_eigenvalues(operator("evenly spaced"), P, 9, products=products, bar=bar, block=block)
    assert bar.n <= products
    assert not found.top.converged.all()
    for pairs in found:
        assert (abs(pairs.values[:, None] - values).min(axis=1) <= pairs.errors).all()
        assert_array_equal(pairs.converged, pairs.errors < 1e-6 + 1e-13)


def test_the_key_seeds_the_first_vector():
    find = functools.partial(extreme_eigenvalues, operator("evenly spaced"), P, 2, products=60)
    assert_array_equal(find().top.vectors, find(key=jax.random.key(0)).top.vectors)
    assert abs(find().top.vectors - find(key=jax.random.key(1)).top.vectors).max() > 1e-3


def test_orthonormal_rows():
    generator = np.random.default_rng(7)
    Q = np.linalg.qr(generator.standard_normal((40, 5)))[0].T
    dependent = np.concatenate([Q[:2], np.zeros((1, 40)), Q[:1] + 1e-9 * generator.standard_normal((2, 40))])
    found = np.concatenate([Q, krylov_bases.orthonormal(dependent, Q, generator)])
    assert_allclose(found @ found.T, np.eye(10), atol=1e-14)


def test_the_hessians_of_a_network():
    loss, apply_fn, params, inputs, targets = problem(units=(15, 15))
    p = num_params(params)
    matrices = dense_hessians(loss, apply_fn, params, [(inputs, targets)])
    for product, matrix in zip((functional_operator, outer_operator, loss_operator), matrices, strict=True):
        found = extreme_eigenvalues(product(loss, apply_fn, params, [(inputs, targets)]), p, 4)
        check(found, np.linalg.eigvalsh(np.asarray(matrix)), 4)


def test_a_product_of_jax_arrays():
    values = jax.numpy.linspace(-1, 1, 500) ** 3
    check(extreme_eigenvalues(jax.jit(lambda V: V * values), 500, 3), np.asarray(values), 3)


def test_memory(monkeypatch):
    def free(vectors):
        memory = psutil.virtual_memory()._replace(available=8 * P * vectors)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)

    free(40)
    check(extreme_eigenvalues(operator("pairs"), P, 3), NAMED["pairs"], 3)
    free(17)
    with pytest.raises(MemoryError, match=r"18 vectors of 1000 numbers are needed for k = 3, .* Choose a smaller k"):
        extreme_eigenvalues(operator("pairs"), P, 3)


@pytest.mark.parametrize("p", [9, P])
@pytest.mark.parametrize(
    ("product", "message"),
    [
        (lambda V: V @ np.triu(np.ones((V.shape[1],) * 2)), r"v\^T \(H w\) and w\^T \(H v\) differ by"),
        (lambda V: V[:, 1:], r"must be float64 of shape \(\d+, \d+\), got float64 of shape"),
        (lambda V: V.astype(np.float32), "must be float64 of shape .*, got float32"),
        (lambda V: list(V), "must be float64 of shape .*, got list of shape None"),
        (lambda V: np.nan * V, "is NaN or infinite"),
        (lambda V: np.full_like(V, np.inf), "is NaN or infinite"),
    ],
)
def test_bad_products(product, message, p):
    with pytest.raises(ValueError, match=message):
        extreme_eigenvalues(product, p, 2)


def test_an_unsymmetric_matrix_has_an_error_of_its_own():
    with pytest.raises(NotSymmetricError):
        extreme_eigenvalues(lambda V: np.roll(V, 1, axis=1), P, 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(p=0), ValueError, "p must be at least 1, got 0"),
        (dict(k=0), ValueError, "k must be at least 1, got 0"),
        (dict(k=1001), ValueError, "k must be at most p = 1000, the number of eigenvalues, got 1001"),
        (dict(k=2.0), TypeError, "k must be an integer"),
        (dict(rtol=0.0), ValueError, "rtol must be at least 1e-13"),
        (dict(products=10), ValueError, "products must be at least 12, got 10"),
        (dict(block=0), ValueError, "block must be at least 1"),
        (dict(ends="left"), ValueError, "unknown word for the ends 'left'; choose one of 'both', 'top', 'bottom'"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        extreme_eigenvalues(lambda V: V, **(dict(p=P, k=2) | arguments))
