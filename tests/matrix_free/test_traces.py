import jax
import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hessians import dense_hessians, num_params
from matrix_free import (
    diagonal,
    effective_rank,
    functional_operator,
    loss_operator,
    outer_operator,
    squared_norm,
    trace,
)
from tests.matrix_free.spectra import KINDS, Bar, random_spectra, spectrum, turned
from tests.problems import problem

FUNCTIONS = trace, squared_norm, effective_rank, diagonal


def exact(function, matrix):
    if function is diagonal:
        return np.diag(matrix)
    total, square = np.trace(matrix), (matrix**2).sum()
    return {trace: total, squared_norm: square, effective_rank: total**2 / (square or 1.0)}[function]


def held(found, true):
    return (found.low <= true) & (true <= found.high)


@pytest.mark.parametrize("products", [12, 31, 100])
def test_intervals_hold_the_true_values(products):
    """At 95 %, over random spectra."""
    shares = {function: [] for function in FUNCTIONS}
    for number, values, multiply in random_spectra(100):
        p, key = len(values), jax.random.key(number)
        if p <= products:
            continue
        total, square = values.sum(), (values**2).sum()
        true = {trace: total, squared_norm: square, effective_rank: total**2 / square}
        true[diagonal] = np.concatenate([np.diag(multiply(rows)[:, i : i + len(rows)]) for i, rows in _unit_rows(p)])
        for function, each in shares.items():
            found = function(multiply, p, products, key)
            assert np.all(found.low <= found.value)
            assert np.all(found.value <= found.high)
            slack = 1e-12 * abs(true[function])  # of the oracle
            each.append(np.mean(held(found._replace(low=found.low - slack, high=found.high + slack), true[function])))
    assert all(np.mean(each) >= 0.93 for each in shares.values())


def _unit_rows(p):
    return [(i, np.eye(min(100, p - i), p, i)) for i in range(0, p, 100)]


@pytest.mark.parametrize("p", [1, 2, 7, 64, 65, 150])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_with_p_products_everything_is_exact(function, p):
    values = spectrum("normal", p, np.random.default_rng(p))
    multiply, bar = turned(values, np.random.default_rng(1)), Bar()
    found = function(multiply, p, products=max(p, 6), bar=bar)
    assert np.all(held(found, exact(function, multiply(np.eye(p)))))
    assert np.all(found.high - found.low <= 1e-12 * (p + abs(found.value)))
    assert p <= bar.n < p + 64


@pytest.mark.parametrize("rank", [0, 1, 8, 33])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_matrix_of_lower_rank_than_the_basis_is_known_to_rounding(function, rank):
    values = np.concatenate([np.arange(1.0, rank + 1), np.zeros(500 - rank)])
    multiply = turned(values, np.random.default_rng(2))
    found, true = function(multiply, 500, products=105), exact(function, multiply(np.eye(500)))
    assert np.all(held(found, true))
    assert np.all(found.high - found.low <= 1e-10 * (1 + abs(true).max()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_basis_of_images_pays(kind):
    """With a third of the products on the large eigenvalues, the interval is shorter where there are some."""
    values = spectrum(kind, 1000, np.random.default_rng(3))
    multiply = turned(values, np.random.default_rng(4))
    found = trace(multiply, 1000, products=150)
    plain = 2 * np.sqrt(2 / 150) * np.linalg.norm(values)  # Hutchinson's interval
    falls = "low rank", "decay with both signs", "rank one"
    assert found.high - found.low < plain * (1 if kind in falls else 4)


def test_effective_rank():
    """k equal eigenvalues count k, and eigenvalues of both signs cancel."""
    equal = turned(np.repeat([2.0, 0.0], [20, 480]), np.random.default_rng(5))
    found = effective_rank(equal, 500, products=99)
    assert_allclose([found.low, found.value, found.high], 20, rtol=1e-10)
    cancelling = turned(np.repeat([1.0, -1.0], 250), np.random.default_rng(6))
    found = effective_rank(cancelling, 500, products=99)
    assert found.low == 0
    assert found.high < 30
    assert effective_rank(lambda V: 0 * V, 500) == (0, 0, 0)


def test_the_hessians_of_a_network():
    loss, apply_fn, params, inputs, targets = problem()
    p = num_params(params)
    matrices = dense_hessians(loss, apply_fn, params, [(inputs, targets)])
    for product, matrix in zip((functional_operator, outer_operator, loss_operator), matrices, strict=True):
        multiply = product(loss, apply_fn, params, [(inputs, targets)])
        for function in FUNCTIONS:
            assert np.all(held(function(multiply, p), exact(function, np.asarray(matrix))))
            assert np.mean(held(function(multiply, p, products=30), exact(function, np.asarray(matrix)))) > 0.8


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_bar_counts_products_and_the_key_seeds_the_vectors(function):
    multiply, bar = turned(np.linspace(-1, 3, 400), np.random.default_rng(7)), Bar()
    first = function(multiply, 400, products=200, bar=bar)
    assert bar.n == 200
    again, other = (function(multiply, 400, products=200, key=jax.random.key(seed)) for seed in (0, 1))
    assert_array_equal(first.value, again.value)
    assert np.max(abs(first.value - other.value)) > 0


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("vectors", [3, 17, 200])
def test_where_memory_is_short_the_basis_is_smaller(function, vectors, monkeypatch):
    """Down to none, and to one vector at a time."""
    multiply, sizes = turned(np.linspace(-1, 3, 400), np.random.default_rng(8)), []
    true = exact(function, multiply(np.eye(400)))
    memory = psutil.virtual_memory()._replace(available=vectors * 8 * 400)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    found = function(lambda V: sizes.append(len(V)) or multiply(V), 400, products=60)
    assert sum(sizes) == 60
    assert max(sizes) == {3: 1, 17: 2, 200: 20}[vectors]
    assert np.mean(held(found, true)) > 0.9


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("p", [9, 300])
@pytest.mark.parametrize(
    ("product", "message"),
    [
        (lambda V: V @ np.triu(np.ones((V.shape[1],) * 2)), r"v\^T \(H w\) and w\^T \(H v\) differ by"),
        (lambda V: V[:, 1:], r"must be float64 of shape \(\d+, \d+\), got float64 of shape"),
        (lambda V: np.nan * V, "is NaN or infinite"),
    ],
)
def test_bad_products(function, p, product, message):
    with pytest.raises(ValueError, match=message):
        function(product, p)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_bad_arguments(function):
    with pytest.raises(ValueError, match="p must be at least 1, got 0"):
        function(lambda V: V, 0)
    with pytest.raises(ValueError, match="products must be at least 6, got 5"):
        function(lambda V: V, 100, products=5)
    with pytest.raises(TypeError, match="products must be an integer"):
        function(lambda V: V, 100, products=50.0)
