"""Networks of single units, and one with narrow layers after a wide one: axes that count have whole numbers only.

The figures are drawn after each test with warnings as errors, and no text may lie on another (conftest).
"""

import jax
import numpy as np
import pytest

from architectures import fully_connected
from closed_forms import linear_ranks
from experiments.cost import Cost
from experiments.numerical_vs_exact import Trial
from experiments.sweeps import Point
from experiments.training import Training
from figures import (
    draw_loop,
    draw_pieces,
    plot_agreement,
    plot_blocks,
    plot_costs,
    plot_exact_spectrum,
    plot_judgement,
    plot_negatives,
    plot_reduction,
    plot_shape,
    plot_spectra,
    plot_spectrum,
    plot_sweep,
    plot_training,
    plot_truncation,
    show_images,
    spread_table,
    summary,
)
from hessians import HessianTriple, dense_hessians
from initializers import get_init
from linear_networks import Descent, Inertia, moments, spectrum
from linear_networks.reduced_matrix import pieces, reduced_matrix
from linear_networks.second_moments import checked_network, residual_moment
from losses import get_loss
from ranks import numerical_rank
from tests.figures.readability import ticks

# inputs d, hidden widths, outputs K, samples n
NETWORKS = {"p2": (1, [1], 1, 1), "p4": (1, [1, 1, 1], 1, 1), "p402": (25, [15, 1, 1, 1], 10, 50)}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS, scope="module")
def network(request):
    """Return weights, one batch, the three Hessians, their numerical ranks and the closed forms."""
    d, widths, K, n = request.param
    rng = np.random.default_rng(0)
    batch = rng.normal(size=(n, d)), rng.normal(size=(n, K))
    init_fn, apply_fn = fully_connected(widths, K, "linear", get_init("glorot"))
    _, params = init_fn(jax.random.PRNGKey(1), (-1, d))
    matrices = dense_hessians(get_loss("mse"), apply_fn, params, [batch])
    return params, batch, matrices, HessianTriple(*map(numerical_rank, matrices)), linear_ranks(min(n, d), K, widths)


def assert_whole(*axes):
    axes[0].axes.figure.draw_without_rendering()
    for axis in axes:
        found = ticks(axis)
        assert found
        assert all(tick == int(tick) for tick in found)


def test_spectra(network):
    *_, measured, predicted = network
    axes = plot_spectra(measured, predicted)
    assert_whole(*(axis.xaxis for axis in axes))
    for axis in axes:  # the legend covers no eigenvalue
        covered = axis.get_legend().get_window_extent()
        points = axis.transData.transform(axis.lines[0].get_xydata())
        assert not any(covered.contains(*point) for point in points)


def test_exact_spectrum(network):
    *_, measured, predicted = network
    for found, rank in zip(measured, predicted, strict=True):
        axis = plot_exact_spectrum(found, rank, "name")
        assert_whole(axis.xaxis)
        covered = axis.get_legend().get_window_extent()
        points = np.concatenate([line.get_xydata() for line in axis.lines[:3]])
        assert not any(covered.contains(*point) for point in axis.transData.transform(points))


def test_judgement(network):
    *_, measured, predicted = network
    trials = [
        Trial("", "", found.rank, found.gap, rank, abs(found.spectrum / found.spectrum[0]))
        for found, rank in zip(measured, predicted, strict=True)
    ]
    assert_whole(plot_judgement(trials).xaxis)


def test_blocks(network):
    params, _, matrices, _, _ = network
    axes = plot_blocks(matrices, [W.size for W in params])
    assert [len(axis.get_xticklabels()) for axis in axes] == [len(params)] * 3


def test_reduction(network):
    params, batch, matrices, _, predicted = network
    weights, Sxx, Sxy, _ = checked_network(params, *moments([batch]))
    omega = residual_moment(weights, Sxx, Sxy)
    layers = pieces(weights, omega)
    T = reduced_matrix(layers, weights, omega, Sxx)
    _, after = plot_reduction(matrices.loss, [W.size for W in params], T, layers)
    assert f"{predicted.loss} row" in after.get_title()


def test_truncation(network):
    *_, measured, predicted = network
    assert_whole(*(axis.xaxis for axis in plot_truncation({"linear": measured}, predicted)))


def test_shape(network):
    measured = network[3]
    assert_whole(*(axis.yaxis for axis in plot_shape({"before": measured}, outliers=1).flat))
    assert_whole(*(axis.yaxis for axis in plot_shape({"before": measured, "after": measured}, outliers=10).flat))


def test_agreement_and_all_eigenvalues(network):
    params, batch, matrices, *_ = network
    found = spectrum(params, *moments([batch]))
    axes = plot_agreement(HessianTriple(*(np.linalg.eigvalsh(np.asarray(H)) for H in matrices)), found)
    assert_whole(*(axis.xaxis for axis in axes[1]))
    assert_whole(*(axis.xaxis for axis in plot_spectrum(found, "heading")))


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_sweep_of_one_value_and_one_seed(network, scale):
    params, *_, measured, predicted = network
    p = sum(W.size for W in params)
    point = Point([7], 1, p, 1, measured, predicted)
    (axis,) = plot_sweep([7], {"mse": [[point]]}, "width", "heading", scale=scale)
    assert_whole(axis.xaxis, axis.yaxis)
    assert ticks(axis.xaxis) == [7]
    levels = [line for line in axis.lines if len(line.get_xdata()) == 2]  # seen although there is one value
    assert [list(line.get_ydata()) for line in levels] == [[height] * 2 for height in (p, *predicted)]
    assert all(np.ptp(line.get_xdata()) > 0 for line in levels)


@pytest.mark.parametrize("values", [[1, 2], [1, 2, 3]])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_sweep_of_few_values(network, scale, values):
    *_, measured, predicted = network
    row = [Point([1], 1, 3, 1, measured, predicted)]
    (axis,) = plot_sweep(values, {"mse": [row] * len(values)}, "depth", "heading", scale=scale)
    assert_whole(axis.xaxis, axis.yaxis)


@pytest.mark.parametrize("steps", [1, 2, 30])
def test_training(network, steps):
    *_, measured, predicted = network
    training = Training(np.linspace(2, 1, steps + 1), np.linspace(1, 0.1, steps + 1), {})
    axes = plot_training({"one": (training, {0: measured, steps: measured}, {"closed form": predicted})}, "title")
    assert_whole(axes[3, 0].xaxis, axes[0, 0].yaxis)


@pytest.mark.parametrize("sizes", [[3], [3, 4], [100], [100, 70_000]])
def test_costs(sizes):
    costs = [(p, Cost(None, 1.0, 1e6, 3e6)) for p in sizes]
    for axis in plot_costs(costs, costs[:1]):
        assert_whole(axis.xaxis)
        assert axis.get_legend() is None  # the figure has one, below
    assert len(axis.figure.legends) == 1


@pytest.mark.parametrize("numbers", [[1], [1, 2], [7], [10, 3000]])
def test_negatives(numbers):
    left, right = plot_negatives({"a": [Descent("", q, 3 * q, Inertia(1, q, 1, 0.1)) for q in numbers]}, "heading")
    assert_whole(left.xaxis, left.yaxis, right.xaxis)
    assert np.ptp(left.lines[-1].get_xdata()) > 0


def test_one_input(network):
    _, batch, *_ = network
    axes = show_images(*batch, pixels=False)
    assert len([axis for axis in axes.flat if axis.images]) == min(10, len(batch[0]))


def test_drawings():
    assert "$X_1$\n1 × 1" in [text.get_text() for text in draw_pieces(1, 1, 1).texts]
    assert "not seen" in [text.get_text() for text in draw_pieces(1, 1, 1, r=0).texts]
    for layers in (1, 20):
        cycle, _ = draw_loop(layers)
        circles = [patch.get_window_extent() for patch in cycle.patches if hasattr(patch, "radius")]
        assert len(circles) == layers + 1
        assert not any(one.overlaps(other) for i, one in enumerate(circles) for other in circles[:i])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: plot_sweep([], {"": []}, "width", "title"), "values"),
        (lambda: plot_sweep([1], {}, "width", "title"), "panels"),
        (lambda: plot_costs([], []), "costs"),
        (lambda: plot_training({}, "title"), "runs"),
        (lambda: plot_negatives({}, "title"), "points"),
        (lambda: plot_truncation({}, HessianTriple(1, 1, 1)), "measured"),
        (lambda: plot_shape({}, outliers=1), "rows"),
        (lambda: spread_table([], "network"), "points"),
        (lambda: summary([]), "points"),
    ],
    ids=["values", "panels", "costs", "training", "negatives", "truncation", "shape", "spread", "summary"],
)
def test_empty_lists_of_hyperparameters_are_named(call, name):
    with pytest.raises(ValueError, match=f"{name} is empty, so there is nothing to show; .* at least one value"):
        call()
