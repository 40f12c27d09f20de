import matplotlib.pyplot as plt
import numpy as np
import pytest

from ranks import HessianRanks, NumericalRank, numerical_rank
from training import Training
from training_plots import plot_shape, plot_training, plot_truncation


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def found(rank, gap):
    return NumericalRank(rank, gap, 1e-13, np.array([3.0, -1.0]))


def test_training_has_a_mark_for_every_step_filled_where_the_gap_is_large():
    measured = {0: HessianRanks(*[found(2, 1e12)] * 3), 10: HessianRanks(found(1, 5.0), found(2, 1e12), found(1, 1e10))}
    training = Training(np.linspace(2, 1, 11), np.linspace(1, 0.1, 11), {})
    axes = plot_training(
        {"one": (training, measured, {"start": HessianRanks(2, 2, 2)}), "two": (training, measured, {})}, "title"
    )
    assert axes.shape == (4, 2)
    marks = axes[0, 0].lines
    np.testing.assert_array_equal(marks[0].get_xydata(), [[0, 2], [10, 1]])
    np.testing.assert_array_equal(marks[1].get_xydata(), [[0, 2]])  # filled: the other one is hollow
    assert marks[0].get_markerfacecolor() == "white"
    np.testing.assert_array_equal(axes[1, 0].lines[0].get_ydata(), [1e12, 5.0])
    np.testing.assert_array_equal(axes[2, 0].lines[0].get_ydata(), [3.0, 3.0])
    np.testing.assert_array_equal(axes[3, 1].lines[0].get_ydata()[[0, -1]], [2, 1])
    assert [axis.get_title() for axis in axes[0]] == ["one", "two"]
    legend = [text.get_text() for text in axes[0, 0].figure.legends[0].texts]
    assert legend[-1] == "hollow: gap too small to be sure"
    assert "start" in legend
    assert len(legend) == len(set(legend)) == 6


def test_truncation_draws_the_error_for_every_rank():
    spectra = HessianRanks(*[numerical_rank(np.diag([3.0, -4.0, 0.0]))] * 3)
    axes = plot_truncation({"linear": spectra, "relu": spectra}, HessianRanks(2, 1, 0))
    for axis, bound in zip(axes, (2, 1, 0), strict=True):
        np.testing.assert_allclose(axis.lines[0].get_ydata(), [1, 0.6, 1e-17, 1e-17])
        assert set(axis.lines[-1].get_xdata()) == {bound}


def test_shape_counts_positive_and_negative_eigenvalues_apart():
    matrix = numerical_rank(np.diag([5.0, -4.0, 3.0, 1e-3, 0.0]))
    axes = plot_shape({"before": HessianRanks(*[matrix] * 3), "after": HessianRanks(*[matrix] * 3)}, outliers=2)
    assert axes.shape == (2, 3)
    up, down = axes[0, 0].patches
    assert np.sum(up.get_data().values) == 3
    assert np.sum(down.get_data().values) == -1
    assert axes[1, 2].get_title().endswith("3 positive, 1 negative, 1 zero")
    border = axes[0, 0].lines[-1].get_xdata()[0]
    assert 3 < border < 4
