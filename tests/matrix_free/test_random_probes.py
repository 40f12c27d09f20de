import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from matrix_free.random_probes import columns, probes, project


@pytest.mark.parametrize("p", [1, 2, 3, 8, 31, 60, 1009])
def test_all_columns_together_are_an_orthonormal_basis(p):
    Psi = np.asarray(columns(probes(p, jax.random.key(0)), np.arange(p))).T
    assert_allclose(Psi.T @ Psi, np.eye(p), atol=1e-13)


@pytest.mark.parametrize("p", [1, 2, 3, 8, 31, 60, 1009])
def test_the_fast_transform_is_the_product_with_the_columns(p):
    psi = probes(p, jax.random.key(1))
    vectors = np.random.default_rng(2).normal(size=(4, p))
    count = (p + 1) // 2
    expected = vectors @ np.asarray(columns(psi, np.arange(count))).T
    assert_allclose(project(psi, vectors, count), expected, atol=1e-13)


def test_the_formula():
    psi = probes(7, jax.random.key(3))
    angle = 2 * np.pi * psi.frequencies[4] * np.arange(7) / 7
    expected = psi.signs * (np.cos(angle) + np.sin(angle)) / np.sqrt(7)
    assert_allclose(columns(psi, np.array([4]))[0], expected, atol=1e-15)


def test_the_key_decides():
    ours, same, other = (probes(50, key) for key in (jax.random.key(4), jax.random.PRNGKey(4), jax.random.key(5)))
    for first, second, third in zip(ours[:2], same[:2], other[:2], strict=True):
        assert_array_equal(first, second)
        assert (first != third).any()
    assert sorted(ours.frequencies) == list(range(50))
    assert set(ours.signs) == {-1.0, 1.0}
