import numpy as np

from figures import plot_agreement, plot_spectrum
from hessians import HessianTriple
from linear_networks import Spectrum, spectrum
from tests.figures.readability import tick_labels
from tests.oracles.integer_networks import hessians


def test_agreement(setting):
    weights, X, Y = setting
    dense = HessianTriple(*(np.linalg.eigvalsh(H) for H in hessians(*setting)))
    axes = plot_agreement(dense, spectrum(weights, X.T @ X, X.T @ Y))
    assert axes.shape == (2, 3)
    for column, values in zip(axes.T, dense, strict=True):
        np.testing.assert_array_equal(column[0].lines[0].get_ydata(), values[::-1])
        assert len(column[0].lines[1].get_ydata()) == len(values)
        assert column[1].lines[0].get_ydata().max() < 1e-13


def test_the_spectrum_counts_copies():
    rng = np.random.default_rng(0)
    found = spectrum([rng.normal(size=(3, 40)), rng.normal(size=(40, 2))], np.eye(3), rng.normal(size=(3, 2)))
    axes = plot_spectrum(found, "heading")
    assert axes[0].figure.get_suptitle() == "heading"
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["80 positive", "80 negative"]
    assert axes[0].lines[0].get_xdata()[-1] == 80
    assert axes[0].get_title().endswith("40 zeros")
    assert [text.get_text() for text in axes[1].get_legend().get_texts()] == ["6 positive"]


def test_matrices_of_very_different_sizes_have_axes_of_their_own():
    values = np.array([3.0, 2.0, 0.0, -1.0])
    scaled = [scale * values for scale in (1e-30, 1.0, 1e15)]
    found = HessianTriple(*(Spectrum(each, np.ones(4, int)) for each in scaled))
    for axes in (plot_agreement(HessianTriple(*scaled), found)[0], plot_spectrum(found, "heading")):
        for axis, each in zip(axes, scaled, strict=True):
            assert each[0] < axis.get_ylim()[1] < 1e4 * each[0]
            assert tick_labels(axis.yaxis)
    (shared, _, _) = plot_spectrum(HessianTriple(*[found.loss] * 3), "heading")
    assert len(shared.get_shared_y_axes().get_siblings(shared)) == 3
