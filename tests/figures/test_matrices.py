import numpy as np

from figures import (
    plot_blocks,
    plot_reduction,
)
from hessians import HessianTriple
from linear_networks.reduced_matrix import pieces, reduced_matrix
from tests.oracles.integer_networks import hessians


def test_blocks_are_marked_and_exact_zeros_are_blank():
    matrix = np.arange(36.0).reshape(6, 6)
    axes = plot_blocks(HessianTriple(matrix, -matrix, 0 * matrix), [2, 3, 1])
    for axis in axes:
        assert [label.get_text() for label in axis.get_xticklabels()] == [rf"$\mathbf{{W}}_{i}$" for i in (1, 2, 3)]
        np.testing.assert_array_equal(axis.get_xticks(), [0.5, 3, 5])
        assert sorted({line.get_xdata()[0] for line in axis.lines if len(set(line.get_xdata())) == 1}) == [1.5, 4.5]
    assert [axis.images[0].get_array().mask.sum() for axis in axes] == [1, 1, 36]


def test_blocks_of_zero_matrices():
    assert len(plot_blocks(HessianTriple(*[np.zeros((4, 4))] * 3), [3, 1])) == 3


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
