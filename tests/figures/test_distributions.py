import numpy as np

from figures import plot_shape, plot_truncation
from hessians import HessianTriple
from ranks import numerical_rank


def test_truncation_draws_the_error_for_every_rank():
    spectra = HessianTriple(*[numerical_rank(np.diag([3.0, -4.0, 0.0]))] * 3)
    axes = plot_truncation({"linear": spectra, "relu": spectra}, HessianTriple(2, 1, 0))
    for axis, bound in zip(axes, (2, 1, 0), strict=True):
        np.testing.assert_allclose(axis.lines[0].get_ydata(), [1, 0.6, 1e-17, 1e-17])
        assert set(axis.lines[-1].get_xdata()) == {bound}


def test_truncation_of_more_networks_than_there_are_colours():
    """Every one has a line, and no two look the same."""
    found = HessianTriple(*[numerical_rank(np.diag([2.0, 1.0]))] * 3)
    axes = plot_truncation({f"network {i}": found for i in range(9)}, HessianTriple(2, 2, 2))
    styles = [(line.get_color(), str(line._dash_pattern)) for line in axes[0].lines[:-1]]
    assert len(styles) == len(set(styles)) == 9


def test_the_errors_of_huge_and_tiny_matrices_can_be_drawn():
    found = [numerical_rank(np.diag([3.0, -4.0, 0.0]) * scale) for scale in (1e-250, 1.0, 1e250)]
    for axis in plot_truncation({"linear": HessianTriple(*found)}, HessianTriple(2, 2, 2)):
        np.testing.assert_allclose(axis.lines[0].get_ydata(), [1, 0.6, 1e-17, 1e-17])


def test_shape_counts_positive_and_negative_eigenvalues_apart():
    matrix = numerical_rank(np.diag([5.0, -4.0, 3.0, 1e-3, 0.0]))
    axes = plot_shape({"before": HessianTriple(*[matrix] * 3), "after": HessianTriple(*[matrix] * 3)}, outliers=2)
    assert axes.shape == (2, 3)
    up, down = axes[0, 0].patches
    assert np.sum(up.get_data().values) == 3
    assert np.sum(down.get_data().values) == -1
    assert axes[1, 2].get_title().endswith("3 positive, 1 negative, 1 zero")
    border = axes[0, 0].lines[-1].get_xdata()[0]
    assert 3 < border < 4


def test_shape_without_outliers():
    found = HessianTriple(*[numerical_rank(np.diag([5.0, -4.0, 3.0]))] * 3)
    for outliers, lines in ((0, 1), (1, 2), (3, 1)):  # one line is the axis, the other the border
        axes = plot_shape({"before": found}, outliers=outliers)
        assert len(axes[0, 0].lines) == lines


def test_shape_of_matrices_of_very_different_sizes():
    """The border between two tiny eigenvalues is between them, although their product is 0 in float64."""
    found = [numerical_rank(np.diag([2.0, 1.0, 0.0]) * scale) for scale in (1e-200, 1.0, 1e100)]
    axes = plot_shape({"before": HessianTriple(*found)}, outliers=1)
    np.testing.assert_allclose(axes[0, 0].lines[-1].get_xdata()[0], 2**0.5 * 1e-200)
