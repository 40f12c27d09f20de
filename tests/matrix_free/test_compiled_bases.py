import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from numpy.testing import assert_allclose

from matrix_free import compiled_bases, extreme_eigenvalues, extremes
from matrix_free.krylov_bases import Krylov
from tests.matrix_free.spectra import KINDS, Bar, compiled, spectrum
from tests.matrix_free.test_extremes import NAMED, P, check


@pytest.fixture(autouse=True)
def _short_vectors_too(monkeypatch):
    monkeypatch.setattr(extremes, "LONG", 0)


CLOSE = "clusters", "many scales", "decay with both signs"  # where order is known to the tolerance only


@pytest.mark.parametrize(("k", "rtol"), [(1, 1e-6), (10, 1e-6), (10, 1e-12)])
@pytest.mark.parametrize("name", NAMED)
def test_named_spectra(name, k, rtol):
    values, bar = NAMED[name], Bar()
    found = extreme_eigenvalues(compiled(values, np.random.default_rng(1)), P, k, rtol, bar=bar)
    check(found, values, k)
    assert all(pairs.converged.all() for pairs in found)
    assert max(pairs.errors.max() for pairs in found) <= (1.1 * rtol + 1e-13) * abs(values).max()
    assert bar.n < 1000


@pytest.mark.parametrize("seed", range(20))
def test_random_spectra(seed):
    generator, kind = np.random.default_rng(seed), KINDS[seed % len(KINDS)]
    values = spectrum(kind, P, generator)
    found = extreme_eigenvalues(compiled(values, generator), P, 10, key=jax.random.key(seed), products=1000)
    check(found, values, 10, beyond=2e-6 * abs(values).max() if kind in CLOSE else 0.0)
    assert found.top.converged.all()


@pytest.mark.parametrize("name", ["evenly spaced", "positive", "ten copies of four"])
def test_as_many_products_as_with_a_basis_that_is_kept_orthonormal(name):
    operator, bars = compiled(NAMED[name], np.random.default_rng(2)), [Bar(), Bar()]
    for multiply, bar in zip((operator, lambda V: operator(V)), bars, strict=True):
        extreme_eigenvalues(multiply, P, 10, bar=bar)
    assert bars[0].n < 1.1 * bars[1].n + 10


@pytest.mark.parametrize("kind", ["outliers", "clusters", "plus minus one", "normal", "rank one"])
def test_what_is_known_of_the_basis(kind):
    """The products are known to rounding, and the overlaps are as large as estimated, at most 1e-8."""
    generator = np.random.default_rng(3)
    operator = compiled(spectrum(kind, P, generator), generator)
    krylov = Krylov(jnp.zeros((60, P)), np.zeros((0, 0)), generator.standard_normal((1, P)), 1000)
    for _ in range(4):
        krylov = compiled_bases.grown(operator.traceable(), generator, 12, 1e-8, None, krylov)
        Q, R, size = np.asarray(krylov.rows), krylov.matrix, len(krylov.matrix)
        krylov = krylov._replace(scale=np.linalg.norm(R, 2))
        rest = np.asarray(operator(Q[:size])) - R.T @ Q[:size]
        rest[-1] -= np.asarray(krylov.rest[0])
        assert abs(rest).max() < 1e-14 * krylov.scale
        overlaps = Q[:size] @ Q[:size].T - np.eye(size)
        assert abs(overlaps).max() < max(30 * abs(krylov.overlaps).max(), 1e-14)
        assert abs(krylov.overlaps).max() <= 1e-8
        assert not Q[size:].any()


def test_a_restart_keeps_the_products_known_to_rounding():
    generator = np.random.default_rng(4)
    operator = compiled(spectrum("outliers", P, generator), generator)
    krylov = Krylov(jnp.zeros((60, P)), np.zeros((0, 0)), generator.standard_normal((1, P)), 1000)
    krylov = compiled_bases.grown(operator.traceable(), generator, 60, 1e-8, None, krylov)
    assert abs(np.asarray(krylov.rows @ krylov.rows.T) - np.eye(60)).max() > 1e-12
    values, vectors, errors, rest = compiled_bases.exact_ritz(krylov)
    Y = np.asarray(compiled_bases.rotated(krylov.rows, vectors.T[-20:], 256))
    assert_allclose(Y[:20] @ Y[:20].T, np.eye(20), atol=1e-13)
    assert not Y[20:].any()
    residuals = np.asarray(operator(Y[:20])) - values[-20:, None] * Y[:20]
    assert_allclose(residuals, np.outer(vectors[-1, -20:], rest[0]), atol=1e-12)
    assert_allclose(np.linalg.norm(residuals, axis=1), errors[-20:], atol=1e-12)


def test_products_that_are_not_finite():
    def multiply(V):
        return jnp.asarray(V)

    multiply.traceable = lambda: Partial(lambda v: v / jnp.where(abs(v) < 10, 0.0, 1.0))
    with pytest.raises(ValueError, match="is NaN or infinite"):
        extreme_eigenvalues(multiply, P, 2)
