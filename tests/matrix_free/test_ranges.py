"""The smaller matrix against the whole one: networks with few samples, whose Hessians are formed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from architectures import convolutional, fully_connected, recurrent, residual, tied, transformer
from hessians import dense_hessians
from initializers import get_init
from losses import get_loss
from matrix_free import (
    densities,
    extreme_eigenvalues,
    extremes,
    functional_operator,
    loss_operator,
    outer_operator,
    spectral_density,
    squared_norm,
    trace,
    traces,
)
from matrix_free.operators import reduction
from matrix_free.ranges import of_rows
from matvecs import num_params
from tests.matrix_free.spectra import Bar
from tests.matrix_free.test_extremes import check

OPERATORS = functional_operator, outer_operator, loss_operator
INIT = get_init("glorot")
NETWORKS = {  # and the shape of the inputs
    "dense": (fully_connected([20, 25], 3, "tanh", INIT), (4, 10)),
    "linear": (fully_connected([40, 8], 3, "linear", INIT), (2, 30)),
    "with biases": (fully_connected([20, 25], 3, "gelu", INIT, bias=True), (3, 10)),
    "convolutional": (convolutional([12, 16], [(3, 3), (2, 2)], INIT, 3, activation="tanh"), (1, 4, 4, 4)),
    "residual": (residual([24, None], INIT, 24, 3, "tanh"), (3, 12)),
    "recurrent": (recurrent(2, INIT), (2, 30)),
    "transformer": (transformer(12, 1, 1, 20, INIT, 3), (1, 2, 8)),
    "tied": (tied(24, INIT), (2, 20)),
}


@pytest.fixture(autouse=True)
def _short_vectors_too(monkeypatch):
    for module in (extremes, densities, traces):
        monkeypatch.setattr(module, "VERY_LONG", 0)


def setting(name, loss_name="mse", sizes=None):
    """Return loss, apply_fn, params and batches of these numbers of samples, by default one."""
    (init_fn, apply_fn), shape = NETWORKS[name]
    generator = np.random.default_rng(5)
    output, params = init_fn(jax.random.key(0), (-1, *shape[1:]))
    batches = [
        (generator.standard_normal((n, *shape[1:])), np.eye(output[-1])[generator.integers(0, output[-1], n)])
        for n in sizes or [shape[0]]
    ]
    return get_loss(loss_name), apply_fn, params, batches


def rows(function, vectors):
    return np.asarray(of_rows(function, vectors))


def check_reduction(operator, p):
    """Check the coordinates, and the smaller matrix; return the size."""
    smaller, H = reduction(operator), np.asarray(operator(np.eye(p)))
    E, S = rows(smaller.whole, np.eye(smaller.size)), rows(smaller.seen, np.eye(p))
    assert_allclose(E @ E.T, np.eye(smaller.size), atol=1e-14)
    assert_allclose(S, E.T, atol=1e-14)
    small = rows(smaller.product, np.eye(smaller.size))
    assert_allclose(small, E @ H @ E.T, atol=1e-14 * np.linalg.norm(H))
    assert_allclose(E.T @ small @ E, H, atol=1e-14 * np.linalg.norm(H))
    return smaller.size


@pytest.mark.parametrize(
    ("name", "make"),
    [*((name, loss_operator) for name in NETWORKS), ("tied", outer_operator), ("residual", functional_operator)],
)
def test_the_smaller_matrix_has_all_of_the_hessian(name, make):
    loss, apply_fn, params, batches = setting(name)
    p = num_params(params)
    assert check_reduction(make(loss, apply_fn, params, batches), p) <= 0.6 * p


def directions(n, a, b, outer, first):
    """Return how many directions of the weights (a, b) of a layer H sees, or a b if that saves less than 40 %."""
    r, s = min(n, a), min(n, b)
    # No derivatives are passed back through the first layer, nor where products with J and J^T are all there is.
    size = r * b if outer or first else r * b + (a - r) * s
    return size if size <= 0.6 * a * b else a * b


@pytest.mark.parametrize("sizes", [[4], [2, 1, 2]])
@pytest.mark.parametrize("make", OPERATORS)
def test_how_many_directions_the_hessian_of_a_dense_network_sees(make, sizes):
    loss, apply_fn, params, batches = setting("dense", "cross", sizes)
    expected = [directions(sum(sizes), *w.shape, make is outer_operator, w is params[0]) for w in params]
    assert check_reduction(make(loss, apply_fn, params, batches), num_params(params)) == sum(expected)


@pytest.mark.parametrize("sizes", [[20], [7, 7, 6]])
def test_with_many_samples_nothing_is_saved(sizes):
    loss, apply_fn, params, batches = setting("dense", sizes=sizes)
    assert reduction(loss_operator(loss, apply_fn, params, batches)) is None


@pytest.mark.parametrize(
    "apply_fn",
    [
        lambda w, x: x @ w + (w**2).sum(),
        lambda w, x: jnp.tanh(x @ (0.3 * w)),
        lambda w, x: jnp.tanh(x @ (w @ w)),
        lambda w, x: jnp.tanh(x @ w[:, ::-1]),
        lambda w, x: jnp.tanh(x @ jnp.concatenate([w[:15], w[15:]])),
        lambda w, x: jnp.tanh(jax.lax.map(lambda one: one @ w, x)),
    ],
)
def test_weights_that_are_used_in_another_way_keep_their_coordinates(apply_fn):
    generator = np.random.default_rng(0)
    w, x, y = generator.standard_normal((30, 30)), generator.standard_normal((2, 30)), np.zeros((2, 30))
    assert reduction(loss_operator(get_loss("mse"), apply_fn, w, [(x, y)])) is None


@pytest.mark.parametrize(
    "apply_fn",
    [
        lambda w, x: jnp.tanh(x @ w) @ w.T,
        lambda w, x: jnp.tanh(x @ w.T) @ w,
        lambda w, x: jax.vmap(lambda one: jnp.tanh(w @ jnp.tanh(w @ one)))(x),
        lambda w, x: jnp.tanh(jnp.einsum("na,ab->nb", jnp.tanh(x @ w), w)),
        lambda w, x: jnp.tanh(x @ w.reshape(30, 5, 6).reshape(30, 30)),
    ],
)
def test_weights_that_are_used_twice_or_turned(apply_fn):
    generator = np.random.default_rng(0)
    w, x, y = generator.standard_normal((30, 30)), generator.standard_normal((2, 30)), np.zeros((2, 30))
    assert check_reduction(loss_operator(get_loss("mse"), apply_fn, w, [(x, y)]), 900) < 500


@pytest.mark.parametrize(
    ("name", "ends"), [("dense", "both"), ("linear", "top"), ("linear", "bottom"), ("tied", "both")]
)
def test_extreme_eigenvalues(name, ends):
    loss, apply_fn, params, batches = setting(name, "cross")
    p, k = num_params(params), 7
    H_f, H_o, H_L = (np.asarray(H) for H in dense_hessians(loss, apply_fn, params, batches))
    for make, H in [(functional_operator, H_f), (loss_operator, H_L), (outer_operator, H_o)]:
        operator, bar = make(loss, apply_fn, params, batches), Bar()
        assert reduction(operator) is not None
        found = extreme_eigenvalues(operator, p, k, 1e-9, bar=bar, ends=ends)
        values = np.sort(np.linalg.eigvalsh(H))
        for pairs, expected, word in [(found.top, values[::-1][:k], "top"), (found.bottom, values[:k], "bottom")]:
            assert len(pairs.values) == (k if ends in ("both", word) else 0)
            if len(pairs.values):
                assert_allclose(pairs.values, expected, atol=2e-9 * abs(values).max())
                assert_allclose(pairs.vectors @ pairs.vectors.T, np.eye(k), atol=1e-12)
                residuals = np.linalg.norm(pairs.vectors @ H - pairs.values[:, None] * pairs.vectors, axis=1)
                assert (residuals <= pairs.errors).all()
                assert pairs.converged.all()


def test_more_eigenvalues_than_directions():
    """The outer product of one sample and one output has rank one, and sees few directions: the rest are zeros."""
    init_fn, apply_fn = fully_connected([1], 1, "linear", INIT)
    _, params = init_fn(jax.random.key(0), (-1, 899))
    x = np.random.default_rng(0).standard_normal((1, 899))
    operator = outer_operator(get_loss("mse"), apply_fn, params, [(x, np.zeros((1, 1)))])
    assert reduction(operator).size == 2
    found, values = extreme_eigenvalues(operator, 900, 5), np.zeros(900)
    first, second = params
    values[0] = (x**2).sum() * second[0, 0] ** 2 + (x @ first)[0, 0] ** 2  # |dF / dtheta|^2
    check(found, values, 5)
    assert all(pairs.converged.all() for pairs in found)


@pytest.mark.parametrize("name", ["dense", "with biases"])
def test_the_density_is_that_of_the_whole_matrix(name):
    loss, apply_fn, params, batches = setting(name, "cross")
    operator, p = loss_operator(loss, apply_fn, params, batches), num_params(params)
    assert reduction(operator) is not None
    bar = Bar()
    found = spectral_density(operator, p, 3, 20, bar=bar)
    expected = spectral_density(lambda V: operator(V), p, 3, 20)
    assert (found.p, bar.n) == (p, 60)
    for part in ("nodes", "weights", "couplings"):
        assert_allclose(getattr(found, part), getattr(expected, part), atol=1e-9 * abs(expected.nodes).max())


@pytest.mark.parametrize("products", [60, 5000])
def test_traces(products):
    loss, apply_fn, params, batches = setting("dense", "cross")
    operator, p = loss_operator(loss, apply_fn, params, batches), num_params(params)
    H = np.asarray(operator(np.eye(p)))
    for function, exact in [(trace, np.trace(H)), (squared_norm, (H**2).sum())]:
        found = function(operator, p, products)
        assert found.low <= exact <= found.high
        assert found.high - found.low <= (1.5 if products == 60 else 1e-9) * exact


def test_products_that_do_not_agree_are_not_used(monkeypatch):
    loss, apply_fn, params, batches = setting("dense")
    operator = loss_operator(loss, apply_fn, params, batches)
    smaller = reduction(operator)
    wrong = smaller._replace(product=jax.tree.map(lambda leaf: leaf * (1 + 1e-9), smaller.product))
    monkeypatch.setattr("matrix_free.operators.reduced", lambda *_: wrong)
    assert reduction(loss_operator(loss, apply_fn, params, batches)) is None
