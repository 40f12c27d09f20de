import itertools

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from figures import plot_blocks, plot_reduction
from hessians import HessianTriple
from linear_networks.reduced_matrix import Piece, pieces, reduced_matrix
from tests.figures.readability import overlaps, texts, tick_labels
from tests.oracles.integer_networks import hessians


def test_blocks_are_marked_and_exact_zeros_are_blank():
    matrix = np.arange(36.0).reshape(6, 6)
    axes = plot_blocks(HessianTriple(matrix, -matrix, 0 * matrix), [2, 3, 1])
    for axis in axes:
        assert [label.get_text() for label in axis.get_xticklabels()] == [rf"$\mathbf{{W}}_{{{i}}}$" for i in (1, 2, 3)]
        np.testing.assert_array_equal(axis.get_xticks(), [0.5, 3, 5])
        assert sorted({line.get_xdata()[0] for line in axis.lines if len(set(line.get_xdata())) == 1}) == [1.5, 4.5]
    assert [axis.images[0].get_array().mask.sum() for axis in axes] == [1, 1, 36]


def test_the_reduction_shows_every_layer_and_every_piece(setting):
    weights, X, Y = setting
    transposed = [W.T for W in weights]
    omega = np.linalg.multi_dot(transposed[::-1]) @ X.T @ X - Y.T @ X
    layers = pieces(transposed, omega)
    T = reduced_matrix(layers, transposed, omega, X.T @ X)
    before, after = plot_reduction(hessians(*setting)[2], [W.size for W in weights], T, layers)
    assert len(before.get_xticklabels()) == 3
    labels = [label.get_text() for label in after.get_xticklabels()]
    assert labels == [f"{piece[0]}$_{{{piece[1]}}}$" for piece in ("X1", "Z1", "X2", "Y2", "Z2", "X3", "Y3")]
    drawn = after.images[0].get_array()
    assert drawn.shape == T.shape
    np.testing.assert_array_equal(drawn.filled(0), drawn.filled(0).T)  # both triangles
    edges = np.cumsum([piece.size for found in layers for piece in found])[:-1]
    rows = dict(zip(labels, np.split(np.arange(len(T)), edges), strict=True))
    assert drawn.mask[np.ix_(rows["Y$_{2}$"], rows["Y$_{3}$"])].all()
    assert not drawn.mask[np.ix_(rows["Z$_{1}$"], rows["Y$_{3}$"])].all()


LAYERS = {
    "a wide one before": [375, 15, 1, 1, 10],
    "a wide one behind": [10, 1, 1, 15, 375],
    "one": [1],
    "twenty": [9] * 20,
    "twenty narrow ones": [300, *[1] * 18, 20],
    "narrow between": [100, 1, 1, 100, 1, 1, 100],
    "sixty": [2] * 60,
}


@pytest.mark.parametrize("sizes", LAYERS.values(), ids=LAYERS)
def test_labels_of_layers_never_overlap(sizes):
    """On three panels side by side, with their lines to the layers, and on the two of a reduction."""
    p = sum(sizes)
    matrix = np.random.default_rng(0).normal(size=(p, p))
    axes = plot_blocks(HessianTriple(matrix, matrix, 0 * matrix), sizes)
    assert overlaps(axes[0].figure) == []
    beside = [Piece(np.ones((1, size)), np.ones((1, 1)), np.ones(1), np.ones(1)) for size in sizes]
    both = plot_reduction(matrix, sizes, matrix, [[piece] for piece in beside])
    assert overlaps(both[0].figure) == []
    for axis in (*axes, *both):
        for side in (axis.xaxis, axis.yaxis):
            labels = tick_labels(side)
            assert len(labels) == len(side.get_ticklabels()) >= min(len(sizes), 7)
            assert "{1}" in labels[0].get_text()
            (low, high), inside = sorted(side.get_view_interval()), side.get_majorticklocs()
            assert low <= min(inside) <= max(inside) <= high


def test_every_label_stands_at_its_layer_or_has_a_line_to_it():
    sizes = [375, 15, 1, 1, 10]
    matrix = np.ones((402, 402))
    axes = plot_blocks(HessianTriple(matrix, matrix, matrix), sizes)
    middles = [187, 382, 390, 391, 396.5]
    for axis in axes:
        assert len(axis.get_xticklabels()) == 5
        leaders = [artist for artist in axis.get_children() if isinstance(artist, LineCollection)]
        assert len(leaders) == 2
        for lines, along, ticks in zip(leaders, (0, 1), (axis.get_xticks(), axis.get_yticks()), strict=True):
            segments = lines.get_segments()
            np.testing.assert_array_equal([points[0][along] for points in segments], middles)
            np.testing.assert_allclose([points[-1][along] for points in segments], ticks)
            assert all(points[0][1 - along] == 0 > points[-1][1 - along] for points in segments)
    wide = plot_blocks(HessianTriple(*[np.ones((9, 9))] * 3), [3, 3, 3])[0]
    assert not [artist for artist in wide.get_children() if isinstance(artist, LineCollection)]


def test_layers_beyond_the_ninth_have_all_their_digits():
    axis = plot_blocks(HessianTriple(*[np.eye(40)] * 3), [4] * 10)[0]
    assert r"$\mathbf{W}_{10}$" in [label.get_text() for label in axis.get_yticklabels()]


def test_lines_do_not_hide_narrow_layers():
    """Lines are at least two points apart, and a white seam, which would look like zeros, is for wide layers only."""
    axis = plot_blocks(HessianTriple(*[np.ones((338, 338))] * 3), [300, *[1] * 18, 20])[0]
    vertical = [line for line in axis.lines if len(set(line.get_xdata())) == 1]
    places = [line.get_xdata()[0] for line in vertical]
    assert places[0] == 299.5
    assert np.diff(places).min() >= 3
    assert {line.get_color() for line in vertical} == {"black"}


def test_entries_below_the_scale_are_named():
    axes = plot_blocks(HessianTriple(1e-20 * np.eye(4), np.eye(4), 1e-5 * np.eye(4)), [3, 1])
    assert axes[0].get_title().endswith("\nlargest entry 1e-20, below the scale")
    assert "scale" not in axes[1].get_title() + axes[2].get_title()


def test_a_reduced_matrix_of_rounding_errors():
    T = np.diag([1e-14, 1e-15])
    piece = Piece(np.ones((1, 2)), np.ones((1, 1)), None, np.ones(1))
    _, after = plot_reduction(np.eye(3), [2, 1], T, [[piece], []])
    assert texts(after) == ["the matrix is zero:\nall its entries are 0,\nbut for rounding"]
    assert [label.get_text() for label in after.get_xticklabels()] == ["Z$_{1}$"]


def test_blocks_can_have_names():
    names = [r"$\mathbf{W}_Q$", r"$\mathbf{W}_\mathrm{head}$", "biases"]
    axes = plot_blocks(HessianTriple(*[np.eye(6)] * 3), [2, 3, 1], names)
    for axis in axes:
        assert [label.get_text() for label in axis.get_xticklabels()] == names
        assert [label.get_text() for label in axis.get_yticklabels()] == names


@pytest.mark.parametrize("number", [12, 40])
@pytest.mark.parametrize("name", [r"$W_Q^{{({0})}}$", r"$\mathbf{{W}}_\mathrm{{head}}^{{({0})}}$", "layer {0}"])
def test_long_names_of_blocks_never_overlap(name, number):
    """Those along the bottom keep a distance by their width, those on the left by their height."""
    matrix = np.eye(number)
    axis = plot_blocks(HessianTriple(*[matrix] * 3), [1] * number, [name.format(i) for i in range(number)])[0]
    for side in (axis.xaxis, axis.yaxis):
        axis.figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in tick_labels(side)]
        assert len(boxes) > 1
        assert not [True for one, other in itertools.pairwise(boxes) if one.overlaps(other)]


def test_names_of_blocks_have_to_be_as_many_as_sizes():
    with pytest.raises(ValueError, match=r"one text for each of the 3 sizes, got 2: \['a', 'b'\]"):
        plot_blocks(HessianTriple(*[np.eye(6)] * 3), [2, 3, 1], ["a", "b"])
