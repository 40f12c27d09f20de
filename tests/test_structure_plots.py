"""Pictures of structured Hessians: what is drawn is what was given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from integer_networks import hessians
from ranks import HessianRanks
from reduction import pieces, reduced_matrix
from structure import Inertia, spectrum
from structure_plots import plot_agreement, plot_negatives, plot_reduction, plot_spectrum


@pytest.fixture
def setting():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in [(4, 6), (6, 7), (7, 3)]]
    yield weights, rng.normal(size=(9, 4)), rng.normal(size=(9, 3))
    plt.close("all")


def test_the_reduction_shows_every_layer_and_every_piece(setting):
    weights, X, Y = setting
    transposed = [W.T for W in weights]
    omega = np.linalg.multi_dot(transposed[::-1]) @ X.T @ X - Y.T @ X
    layers = pieces(transposed, omega)
    T = reduced_matrix(layers, transposed, omega, X.T @ X)
    before, after = plot_reduction(hessians(*setting)[2], [W.size for W in weights], T, layers)
    assert len(before.get_xticklabels()) == 3
    labels = [label.get_text() for label in after.get_xticklabels()]
    assert labels == ["X$_1$", "Z$_1$", "X$_2$", "Y$_2$", "Z$_2$", "X$_3$", "Y$_3$"]
    drawn = after.images[0].get_array()
    assert drawn.shape == T.shape
    np.testing.assert_array_equal(drawn.filled(0), drawn.filled(0).T)  # both triangles
    edges = np.cumsum([piece.size for found in layers for piece in found])[:-1]
    rows = dict(zip(labels, np.split(np.arange(len(T)), edges), strict=True))
    assert drawn.mask[np.ix_(rows["Y$_2$"], rows["Y$_3$"])].all()
    assert not drawn.mask[np.ix_(rows["Z$_1$"], rows["Y$_3$"])].all()


def test_agreement(setting):
    weights, X, Y = setting
    dense = HessianRanks(*(np.linalg.eigvalsh(H) for H in hessians(*setting)))
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
    plt.close("all")


def test_negatives():
    points = {"a": [("one", 10, 50, Inertia(20, 9, 21, 0.1)), ("two", 100, 500, Inertia(200, 99, 201, 0.1))]}
    left, right = plot_negatives(points, "heading")
    np.testing.assert_array_equal(left.lines[0].get_ydata(), [9, 99])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.9, 0.99])
    assert left.get_xlabel() == "$q M$"
    plt.close("all")
