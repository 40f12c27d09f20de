import matplotlib.pyplot as plt
import numpy as np
import pytest

from cost import Cost
from plots import plot_blocks, plot_costs, plot_exact_spectrum, plot_judgement, plot_spectra, plot_sweep, show_images
from ranks import HessianRanks, NumericalRank, numerical_rank
from survey import Trial
from sweeps import Point


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_images_are_the_inputs_with_their_classes():
    inputs, targets = np.random.default_rng(0).random((12, 25)), np.eye(10)[np.arange(12) % 10]
    axes = show_images(inputs, targets, count=11)
    drawn = [axis for axis in axes.flat if axis.images]
    assert [axis.get_title() for axis in drawn] == [str(i % 10) for i in range(11)]
    for axis, image in zip(drawn, inputs, strict=False):
        np.testing.assert_array_equal(axis.images[0].get_array(), image.reshape(5, 5))


def test_inputs_that_are_no_squares_and_signs_as_classes():
    axes = show_images(np.ones((3, 7)), np.array([[-1.0], [1.0], [1.0]]))
    assert [axis.get_title() for axis in axes.flat] == ["-1", "+1", "+1"]
    assert axes.flat[0].images[0].get_array().shape == (1, 7)


def test_spectra_show_every_eigenvalue_the_threshold_and_the_prediction():
    measured = HessianRanks(*(numerical_rank(np.diag(row)) for row in ([3.0, -4.0, 0.0], [1.0, 2.0, 0.5], [0.0] * 3)))
    axes = plot_spectra(measured, HessianRanks(2, 1, 0))
    for axis, found, predicted in zip(axes, measured, (2, 1, 0), strict=True):
        eigenvalues, threshold, prediction = axis.lines
        np.testing.assert_array_equal(eigenvalues.get_xdata(), [1, 2, 3])
        assert axis.get_yscale() == "log"
        assert min(eigenvalues.get_ydata()) > 0
        counted = np.asarray(eigenvalues.get_ydata()) > max(threshold.get_ydata())
        assert counted.sum() == found.rank
        assert set(prediction.get_xdata()) == {predicted + 0.5}
        assert f"rank {found.rank}, gap" in axis.get_title()
        assert [text.get_text() for text in axis.get_legend().texts][-1] == f"closed form: {predicted}"
        assert axis.get_xlabel() == "index $i$"


def test_blocks_are_marked_and_exact_zeros_are_blank():
    matrix = np.arange(36.0).reshape(6, 6)
    axes = plot_blocks(HessianRanks(matrix, -matrix, 0 * matrix), [2, 3, 1])
    for axis in axes:
        assert [label.get_text() for label in axis.get_xticklabels()] == [rf"$\mathbf{{W}}_{i}$" for i in (1, 2, 3)]
        np.testing.assert_array_equal(axis.get_xticks(), [0.5, 3, 5])
        assert sorted({line.get_xdata()[0] for line in axis.lines if len(set(line.get_xdata())) == 1}) == [1.5, 4.5]
    assert [axis.images[0].get_array().mask.sum() for axis in axes] == [1, 1, 36]


def test_blocks_of_zero_matrices():
    assert len(plot_blocks(HessianRanks(*[np.zeros((4, 4))] * 3), [3, 1])) == 3


def test_exact_spectrum_tells_lost_eigenvalues_from_zeros():
    found = numerical_rank(np.diag([1.0, 1e-3, 1e-18, 1e-19, 0.0]))
    axis = plot_exact_spectrum(found, 3, "name")
    counted, lost, zero = axis.lines[:3]
    assert [len(line.get_xdata()) for line in (counted, lost, zero)] == [2, 1, 2]
    assert axis.get_title().startswith("name: numerical rank 2, gap")
    assert axis.get_legend().texts[-1].get_text() == "exact rank: 3"


def test_judgement_circles_the_wrong_ranks():
    trials = [
        Trial("a", "outer", 2, 1e9, 2, np.array([1.0, 1e-3, 1e-17])),
        Trial("a", "loss", 1, 10.0, 2, np.array([1.0, 1e-16, 1e-17])),
        Trial("a", "functional", 3, 10.0, 3, np.array([1.0, 0.5, 0.1])),
        Trial("b", "functional", 1, 10.0, None, np.array([1.0, 0.5, 0.1])),
    ]
    axis = plot_judgement(trials)
    smallest, rest, wrong = axis.lines[:3]
    np.testing.assert_array_equal(smallest.get_ydata(), [1e-3, 1e-16, 0.1])
    np.testing.assert_array_equal(np.isnan(rest.get_ydata()), [False, False, True])
    np.testing.assert_array_equal(wrong.get_ydata(), [1e-16])


def test_sweep():
    """Points at the median over the seeds on lines of the predicted ranks; hollow where a gap is small."""
    points = [
        [
            Point(
                [m], seed, p, 9, HessianRanks(*(NumericalRank(rank, gap, 0.1, np.empty(0)) for rank, gap in row)), form
            )
            for seed, row in enumerate(rows)
        ]
        for m, p, form, rows in SWEEP
    ]
    axes = plot_sweep([4, 8], {"mse": points, "cosh": points[::-1]}, "width $m$", "heading", scale="log")
    for axis, order in zip(axes, (1, -1), strict=True):
        marks = [container.lines[0] for container in axis.containers]
        assert [mark.get_ydata()[0] for mark in marks] == [y for x in ((5, 10), (3, 4), (7, 11)) for y in x[::order]]
        assert [mark.get_markerfacecolor() == "white" for mark in marks] == [False] * 4 + [False, True][::order]
        lines = [
            list(line.get_ydata()) for line in axis.lines if len(line.get_xdata()) == 2 and line.get_marker() == "None"
        ]
        assert lines == [y[::order] for y in ([100, 300], [5, 10], [3, 4], [7, 12])]
        assert axis.get_xlabel() == "width $m$"
    (bar,) = axes[0].containers[-1].lines[2]
    assert [y for _, y in bar.get_segments()[0]] == [10, 12]
    assert [axis.get_title() for axis in axes] == ["mse", "cosh"]
    assert "rank of the loss Hessian" in axes[0].figure.legends[0].texts[3].get_text()


SWEEP = [
    (4, 100, HessianRanks(5, 3, 7), [[(5, 1e10), (3, 1e12), (7, 1e11)]] * 2),
    (8, 300, HessianRanks(10, 4, 12), [[(10, 1e10), (4, 1e9), (12, 1e10)], [(10, 1e10), (4, 1e9), (10, 1e3)]]),
]


def test_costs():
    costs = [(100, Cost(None, 1.0, 1e6, 3e6)), (300, Cost(None, 4.0, 1e6, 9e6))]
    time, memory = plot_costs(costs, costs[:1])
    assert list(time.lines[0].get_ydata()) == [1.0, 4.0]
    assert list(memory.lines[0].get_ydata()) == [2.0, 8.0]
    assert {axis.get_xlabel() for axis in (time, memory)} == {"number of parameters $p$"}


def test_a_sweep_over_names_stands_side_by_side():
    found = NumericalRank(3, 1e12, 0.0, np.empty(0))
    row = [Point("relu", 1, 9, 4, HessianRanks(*[found] * 3), HessianRanks(3, 3, 3))]
    (axis,) = plot_sweep(["relu", "tanh"], {"": [row, row]}, "activation", "title")
    assert [label.get_text() for label in axis.get_xticklabels()] == ["relu", "tanh"]
    marks = sorted(line.get_xdata()[0] for bar in axis.containers for line in [bar.lines[0]])
    np.testing.assert_allclose(marks, [-0.2, 0, 0.2, 0.8, 1, 1.2], atol=1e-12)
