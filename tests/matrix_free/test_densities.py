import jax
import numpy as np
import psutil
import pytest
from jax.tree_util import Partial
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import wasserstein_distance

from hessians import dense_hessians, num_params
from matrix_free import (
    checked_products,
    counts_below,
    densities,
    distance,
    functional_operator,
    loss_operator,
    outer_operator,
    smoothed,
    spectral_density,
)
from matrix_free.densities import Density, _bounds
from ranks import NotSymmetricError
from tests.matrix_free.spectra import KINDS, Bar, compiled, random_spectra, spectrum, turned
from tests.problems import problem

SPACED = np.linspace(-1, 3, 800)


def density(values, **arguments):
    return spectral_density(turned(values, np.random.default_rng(1)), len(values), **arguments)


def at_most(values, x):
    """Return the numbers of eigenvalues up to x, which may be an eigenvalue, moved by rounding."""
    return np.searchsorted(np.sort(values), x + 1e-12 * abs(values).max(), side="right")


# --- the quadrature


def test_polynomials_are_integrated_exactly():
    """Of degree 2 steps - 1 = 9: sum_j w_j theta_j^n = v^T H^n v, whose mean over many probes is tr H^n / p."""
    found = density(SPACED, probes=64, steps=5)
    assert found.nodes.shape == found.weights.shape == found.couplings.shape == (64, 5)
    assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-14)
    longer = density(SPACED, probes=64, steps=20)
    for degree in range(10):
        moments = [(one.weights * one.nodes**degree).sum(axis=1) for one in (found, longer)]
        assert_allclose(*moments, rtol=1e-11)
        assert_allclose(moments[0].mean(), (SPACED**degree).mean(), rtol=0.05)


@pytest.mark.parametrize("values", [np.zeros(30), np.ones(30), np.eye(1, 30)[0], np.repeat([-1.0, 0.0, 2.0], 10)])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 50])
def test_few_different_eigenvalues_end_the_recurrence(values, steps):
    bar, different = Bar(), np.unique(values)
    found = density(values, probes=4, steps=steps, bar=bar)
    assert found.nodes.shape == (4, steps)
    assert_allclose(found.weights.sum(axis=1), 1)
    if steps >= len(different):
        assert bar.n <= 4 * (len(different) + 2)
        weighty = found.weights > 1e-9
        assert_allclose(
            found.nodes[weighty], different[abs(found.nodes[weighty][:, None] - different).argmin(1)], atol=1e-13
        )
    assert np.isfinite(found.nodes).all()


@pytest.mark.parametrize("p", [1, 2, 3])
def test_tiny_matrices(p):
    values = np.arange(1.0, p + 1)
    found = density(values, probes=3, steps=9)
    assert_allclose(found.nodes.max(), p, rtol=1e-12)
    assert counts_below(found, p + 0.5).low <= p <= counts_below(found, p + 0.5).high


# --- counts


def test_counts_hold_the_true_numbers():
    """Of intervals at 95 %, over random spectra: many more, since the bounds of the quadrature hold always."""
    held = []
    for number, values, multiply in random_spectra(100):
        probes, steps = [(10, 50), (3, 10), (1, 30)][number % 3]
        found = spectral_density(multiply, len(values), probes, steps, jax.random.key(number))
        generator, (low, high) = np.random.default_rng(number), values[[0, -1]]
        between = generator.uniform(low - 0.1, high + 0.1, 20)
        x = np.concatenate([between, generator.choice(values, 5), generator.choice(values, 5) + 1e-6 * (high - low)])
        below, true = counts_below(found, x), at_most(values, x)
        held.append(((below.low <= true) & (true <= below.high)).mean())
        assert (below.low == below.low.round()).all()
        assert (below.high == below.high.round()).all()
        assert (below.low <= below.value + 1).all()
        assert (below.value <= below.high + 1).all()
    assert np.mean(held) >= 0.98


@pytest.mark.parametrize(("probes", "steps"), [(10, 50), (5, 10), (5, 1)])
def test_the_bounds_of_every_probe_are_rigorous(probes, steps):
    for number, values, _ in random_spectra(50):
        key, p = jax.random.key(number), len(values)
        found = spectral_density(lambda V, d=values: V * d, p, probes, steps, key)
        start = checked_products.generator(key).standard_normal((probes, p)) ** 2  # the probes, squared
        shares = np.cumsum(start / start.sum(axis=1, keepdims=True), axis=1)
        low, high = values[[0, -1]]
        generator = np.random.default_rng(number)
        x = np.append(generator.uniform(1.1 * low - 0.1, 1.1 * high + 0.1, 40), generator.choice(values, 10) + 1e-6)
        count = at_most(values, x)
        for row, share in zip(zip(*found[:2], found.couplings, strict=True), shares, strict=True):
            true = np.concatenate([[0], share])[count]
            lower, upper = _bounds(*row, x)
            assert (lower <= true + 1e-8).all()
            assert (true <= upper + 1e-8).all()


def test_counts_in_a_gap_are_as_good_as_chance_allows():
    """Beside a cluster of 900 eigenvalues the inequalities alone would leave the interval from 0 to 900 open."""
    values = np.concatenate([1e-3 * np.linspace(-1, 1, 900), np.linspace(1, 2, 100)])
    below = counts_below(density(values, probes=10, steps=50), [-0.5, 0.5, 3.0])
    assert_array_equal(below.low <= [0, 900, 1000], True)
    assert_array_equal(below.high >= [0, 900, 1000], True)
    assert_array_equal(below.high - below.low <= [1, 20, 1], True)


def test_far_outside_everything_is_known():
    below = counts_below(density(SPACED), [-100.0, 100.0])
    assert_array_equal(below.low, [0, 799])
    assert_array_equal(below.high, [1, 800])


def test_counts_of_a_number_and_of_an_array():
    found = density(SPACED)
    assert counts_below(found, 1.0).value.shape == ()
    below = counts_below(found, np.array([[0.0, 1.0], [2.0, 4.0]]))
    assert below.low.shape == (2, 2)
    assert below.low[0, 1] == counts_below(found, 1.0).low
    with pytest.raises(ValueError, match="x must be finite"):
        counts_below(found, np.nan)


# --- the density as a curve, and its distance


def test_the_smoothed_density():
    found, x = density(SPACED, probes=20), np.linspace(-2, 4, 61)
    curve = smoothed(found, x, width=0.2)
    true = np.exp(-(((x[:, None] - SPACED) / 0.2) ** 2) / 2).mean(axis=1) / (0.2 * np.sqrt(2 * np.pi))
    assert ((curve.low <= true + 1e-6) & (true <= curve.high + 1e-6)).mean() > 0.9
    assert_allclose(curve.value, true, atol=0.02)
    assert_allclose(np.trapezoid(curve.value, x), 1, atol=1e-3)
    assert (curve.low >= 0).all()


def test_one_probe_has_no_spread():
    curve = smoothed(density(SPACED, probes=1), [0.0, 1.0], width=0.1)
    assert_array_equal(curve.low, 0)
    assert_array_equal(curve.high, np.inf)
    with pytest.raises(ValueError, match="width must be at least"):
        smoothed(density(SPACED, probes=1), 0.0, width=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_distance_is_small(kind):
    values = spectrum(kind, 1000, np.random.default_rng(2))
    found = density(values)
    assert 0 <= distance(found, values) < 0.02
    assert distance(found, -values - 3 * abs(values).max()) > 0.5


def test_the_distance_is_that_of_scipy():
    generator = np.random.default_rng(3)
    weights = generator.dirichlet(np.ones(5), size=3)
    found = Density(np.sort(generator.normal(size=(3, 5))), weights, 20, np.zeros((3, 5)))
    values, copies = generator.normal(size=7), np.arange(1, 8)
    expected = wasserstein_distance(found.nodes.ravel(), values, found.weights.ravel(), copies) / abs(values).max()
    assert_allclose(distance(found, values, copies), expected)
    assert_allclose(distance(found, np.repeat(values, copies)), expected)


def test_the_distance_of_zero_matrices():
    assert distance(density(np.zeros(10)), np.zeros(10)) == 0


# --- operators


def test_the_hessians_of_a_network():
    loss, apply_fn, params, inputs, targets = problem()
    p = num_params(params)
    matrices = dense_hessians(loss, apply_fn, params, [(inputs, targets)])
    for product, matrix in zip((functional_operator, outer_operator, loss_operator), matrices, strict=True):
        values = np.linalg.eigvalsh(np.asarray(matrix))
        found = spectral_density(product(loss, apply_fn, params, [(inputs, targets)]), p, probes=40, steps=20)
        assert distance(found, values) < 0.02
        x = np.linspace(*(1.1 * values[[0, -1]]), 20)
        below, true = counts_below(found, x), at_most(values, x)
        assert ((below.low <= true) & (true <= below.high)).all()


def test_numpy_and_jax_agree():
    values = np.linspace(-1, 2, 300)
    ours, theirs = (spectral_density(lambda V, d=d: V * d, 300, 3, 20) for d in (values, jax.numpy.asarray(values)))
    assert_allclose(ours.nodes, theirs.nodes, atol=1e-8)
    assert_allclose(ours.weights, theirs.weights, atol=1e-8)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("values", [np.linspace(-1, 2, 300), np.repeat([-1.0, 0.0, 2.0], 100), np.zeros(300)])
def test_compiled_steps_agree_with_single_ones(values, at_once, monkeypatch):
    monkeypatch.setattr(densities, "LONG", 0)
    if at_once:  # as on an accelerator
        monkeypatch.setattr(jax, "default_backend", lambda: "other")
    operator, bar = compiled(values, np.random.default_rng(2)), Bar()
    single = spectral_density(lambda V: operator(V), 300, 3, 25)
    together = spectral_density(operator, 300, 3, 25, bar=bar)
    different = len(np.unique(values))
    assert bar.n == 75 if different > 25 else bar.n <= 3 * 12
    if different > 25:
        assert_allclose(together.nodes, single.nodes, atol=1e-8)
        assert_allclose(together.weights, single.weights, atol=1e-8)
        assert_allclose(together.couplings, single.couplings, atol=1e-8)
    assert_allclose((together.weights * together.nodes**2).sum(1), (single.weights * single.nodes**2).sum(1))


def test_compiled_steps_check_the_products(monkeypatch):
    monkeypatch.setattr(densities, "LONG", 0)

    def operator(image):
        return _with(lambda V: V, traceable=lambda: Partial(image))

    with pytest.raises(NotSymmetricError, match=r"v\^T \(H w\) and w\^T \(H v\) differ by"):
        spectral_density(operator(lambda v: jax.numpy.roll(v, 1) * jax.numpy.arange(50.0)), 50)
    with pytest.raises(ValueError, match="is NaN or infinite"):
        spectral_density(operator(lambda v: v / 0.0), 50)


def _with(function, **attributes):
    vars(function).update(attributes)
    return function


@pytest.mark.parametrize("make", [compiled, turned])
def test_sizes_whose_squares_float64_cannot_hold(make, monkeypatch):
    monkeypatch.setattr(densities, "LONG", 0)
    values = np.linspace(-1, 1, 50)
    for size in (1e-170, 1e200):
        with pytest.raises(ValueError, match=r"eigenvalues of the size .* multiply the matrix by a number"):
            spectral_density(make(size * values, np.random.default_rng(0)), 50, 2, 10)
    small, ordinary, large = (
        spectral_density(make(size * values, np.random.default_rng(0)), 50, 2, 10).nodes / size
        for size in (1e-100, 1.0, 1e100)
    )
    assert_allclose(np.stack([small, large]), np.stack([ordinary, ordinary]), atol=1e-12)


def test_the_bar_counts_products_and_the_key_seeds_the_probes():
    bar = Bar()
    first = density(SPACED, probes=70, steps=7, bar=bar)
    assert bar.n == 70 * 7
    assert_array_equal(first.nodes, density(SPACED, probes=70, steps=7, key=jax.random.key(0)).nodes)
    assert abs(first.nodes - density(SPACED, probes=70, steps=7, key=jax.random.key(1)).nodes).max() > 1e-3


def test_fewer_probes_at_a_time_where_memory_is_short(monkeypatch):
    expected = density(SPACED, probes=5, steps=6)
    memory = psutil.virtual_memory()._replace(available=2 * 8 * 8 * len(SPACED))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    sizes = []
    multiply = turned(SPACED, np.random.default_rng(1))
    found = spectral_density(lambda V: sizes.append(len(V)) or multiply(V), len(SPACED), probes=5, steps=6)
    assert sizes == 6 * [2] + 6 * [2] + 6 * [1]
    assert_allclose(found.nodes, expected.nodes, atol=1e-10)


@pytest.mark.parametrize("probes", [1, 3])
@pytest.mark.parametrize(
    ("product", "message"),
    [
        (lambda V: V @ np.triu(np.ones((50, 50))), r"v\^T \(H w\) and w\^T \(H v\) differ by"),
        (lambda V: V[:, 1:], r"must be float64 of shape \(\d, 50\), got float64 of shape"),
        (lambda V: np.nan * V, "is NaN or infinite"),
        (lambda V: jax.numpy.asarray(V).at[0, 3].set(np.inf), "is NaN or infinite"),
    ],
)
def test_bad_products(product, message, probes):
    with pytest.raises(ValueError, match=message):
        spectral_density(product, 50, probes)


@pytest.mark.parametrize("name", ["p", "probes", "steps"])
def test_bad_arguments(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        spectral_density(lambda V: V, **(dict(p=50) | {name: 0}))
