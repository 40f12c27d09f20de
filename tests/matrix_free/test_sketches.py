import functools

import jax
import jax.numpy as jnp
import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose

from matrix_free.random_probes import columns, probes
from matrix_free.sketches import both_sketches, factor_sketch, ritz_matrix, symmetric_sketch

P = 150
OMEGA = probes(P, jax.random.key(0))
MATRIX = np.random.default_rng(1).normal(size=(P, P))
MATRIX += MATRIX.T


def matvec(vectors):
    return vectors @ MATRIX


def dense(psi, size):
    return np.asarray(columns(psi, np.arange(size))).T


@pytest.mark.parametrize("size", [1, 10, 64, 65, 130, P])
def test_symmetric_sketch(size):
    Psi = dense(OMEGA, size)
    assert_allclose(symmetric_sketch(matvec, OMEGA, size), Psi.T @ MATRIX @ Psi, atol=1e-12)


def test_a_sketch_grows_by_new_products_only():
    calls = []

    def counted(vectors):
        calls.append(len(vectors))
        return matvec(vectors)

    small = symmetric_sketch(counted, OMEGA, 60)
    assert sum(calls) == 2 * 64  # one block, and one more to test linearity
    large = symmetric_sketch(counted, OMEGA, 120, start=small)
    assert sum(calls) == 3 * 64
    assert_allclose(large, symmetric_sketch(matvec, OMEGA, 120), atol=1e-12)


@pytest.mark.parametrize("rows", [1, 20, P, 2 * P])
@pytest.mark.parametrize("size", [10, 70, P])
def test_factor_sketch(rows, size):
    A = np.random.default_rng(2).normal(size=(rows, P))
    xi = probes(rows, jax.random.key(3)) if rows > P else None
    expected = A @ dense(OMEGA, size) if xi is None else dense(xi, P).T @ A @ dense(OMEGA, size)
    sketch = functools.partial(factor_sketch, lambda V: V @ A.T, rows, OMEGA, xi=xi)
    assert_allclose(sketch(size), expected.T, atol=1e-12)
    assert_allclose(sketch(size, start=sketch(size // 2)), expected.T, atol=1e-12)


def test_both_sketches():
    A = np.random.default_rng(2).normal(size=(40, P))
    products = lambda V: (matvec(V), V @ A.T)
    half = both_sketches(products, 40, OMEGA, 60)
    for start in ((None, None), half):
        symmetric, factor = both_sketches(products, 40, OMEGA, 130, start=start)
        assert_allclose(symmetric, symmetric_sketch(matvec, OMEGA, 130), atol=1e-12)
        assert_allclose(factor, dense(OMEGA, 130).T @ A.T, atol=1e-12)
    with pytest.raises(ValueError, match="must be symmetric in"):
        both_sketches(lambda V: (V @ np.triu(MATRIX), V @ A.T), 40, OMEGA, 60)
    with pytest.raises(ValueError, match="must be linear in"):
        both_sketches(lambda V: (matvec(V), V @ A.T + 1.0), 40, OMEGA, 60)
    with pytest.raises(ValueError, match=r"must be float64 of shape \(64, 40\), got float64 of shape \(64, 39\)"):
        both_sketches(lambda V: (matvec(V), V @ A[1:].T), 40, OMEGA, 60)


def test_ritz_values_are_the_eigenvalues_of_the_matrix():
    factor = np.random.default_rng(4).normal(size=(P, 30))
    low_rank = factor * np.geomspace(1, 1e-5, 30) @ factor.T
    found = np.linalg.eigvalsh(ritz_matrix(lambda V: V @ low_rank, OMEGA, 80))
    assert_allclose(found[-30:], np.linalg.eigvalsh(low_rank)[-30:], rtol=1e-6)
    assert_allclose(found[:-30], 0, atol=1e-12)


@pytest.mark.parametrize(
    ("product", "message"),
    [
        (lambda V: V @ np.triu(MATRIX), r"must be symmetric in .*, but v\^T \(H w\) and w\^T \(H v\) differ by"),
        (lambda V: jnp.abs(V @ MATRIX), r"must be linear in .*, but H \(2 v - 3 w\) and 2 H v - 3 H w differ by"),
        (lambda V: V @ MATRIX + 1e-3, "must be linear in"),
        (lambda V: (V @ MATRIX).at[3, 4].set(jnp.nan), "is NaN or infinite"),
        (lambda V: (V @ MATRIX).at[3, 4].set(jnp.inf), "is NaN or infinite"),
        (lambda V: (V @ MATRIX)[:, 1:], r"must be float64 of shape \(64, 150\), got float64 of shape \(64, 149\)"),
        (lambda V: (V @ MATRIX).astype(jnp.float32), r"must be float64 of shape .*, got float32"),
    ],
    ids=["not symmetric", "not linear", "affine", "nan", "inf", "shape", "float32"],
)
def test_bad_products_are_noticed_at_the_first_block(product, message):
    calls = []

    def counted(vectors):
        calls.append(len(vectors))
        return product(vectors)

    with pytest.raises(ValueError, match=message):
        symmetric_sketch(counted, OMEGA, 140)
    assert len(calls) <= 2


def test_a_product_with_random_parts_is_noticed():
    rng = np.random.default_rng(5)
    with pytest.raises(ValueError, match="has random parts, such as dropout"):
        factor_sketch(lambda V: V @ rng.normal(size=(P, 7)), 7, OMEGA, 20)


def test_a_zero_matrix_passes_the_test_of_the_first_block():
    assert not symmetric_sketch(lambda V: 0.0 * V, OMEGA, 20).any()


def test_nan_in_a_later_block_is_noticed():
    count = iter(range(100))
    with pytest.raises(ValueError, match="is NaN or infinite"):
        symmetric_sketch(lambda V: V @ MATRIX * (np.nan if next(count) == 2 else 1.0), OMEGA, 140)


def test_a_sketch_that_does_not_fit(monkeypatch):
    memory = psutil.virtual_memory()._replace(available=2 * 8 * 100**2)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert symmetric_sketch(matvec, OMEGA, 100).shape == (100, 100)
    with pytest.raises(MemoryError, match=r"a sketch with 101 probes is needed .*, 0\.0 GB; 0\.0 GB are free"):
        symmetric_sketch(matvec, OMEGA, 101)
