import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from experiments.sharpness import Sharpness
from figures import plot_counts, plot_densities, plot_distances, plot_layer_densities, plot_sharpness
from hessians import HessianTriple
from matrix_free import extreme_eigenvalues, spectral_density
from tests.figures.readability import texts, tick_labels


def diagonal(eigenvalues):
    return lambda V: V * np.asarray(eigenvalues)


def density(eigenvalues, probes=3, steps=12):
    return spectral_density(diagonal(eigenvalues), len(eigenvalues), probes=probes, steps=steps)


def bulk(p=500, scale=1.0):
    """Return eigenvalues of both signs with three outliers."""
    rng = np.random.default_rng(0)
    return scale * np.concatenate([rng.normal(size=p), [30.0, 40.0, 60.0]])


def test_counts_have_a_staircase_inside_the_bands():
    values, copies = np.array([5.0, 0.0, -1.0]), np.array([10, 60, 30])
    found = {"2 steps": density(np.repeat(values, copies), steps=2), "4 steps": density(np.repeat(values, copies))}
    axis = plot_counts(found, values, copies, "heading")
    assert axis.get_title() == "heading"
    assert axis.get_legend_handles_labels()[1] == ["2 steps", "4 steps", "exact"]
    assert_array_equal(axis.lines[0].get_xdata()[1:-1], np.repeat([-1.0, 0.0, 5.0], 2))
    assert_array_equal(axis.lines[0].get_ydata(), [0, 0, 30, 30, 90, 90, 100, 100])
    wide, narrow = (band.get_paths()[0].vertices[:, 1] for band in axis.collections)
    for heights in (wide, narrow):
        assert heights.min() == 0
        assert heights.max() == 100
    with pytest.raises(ValueError, match="densities is empty"):
        plot_counts({}, values, copies, "heading")


@pytest.mark.parametrize("eigenvalues", [[0.0], [1e-100], [-3.0], [1e100, 0.0]], ids=str)
def test_counts_of_small_spectra_can_be_drawn(eigenvalues):
    axis = plot_counts({"found": density(eigenvalues)}, eigenvalues, np.ones(len(eigenvalues), int), "few")
    assert tick_labels(axis.xaxis)


def test_distances_have_a_line_for_each_number_of_steps():
    lines = {10: [(1, 1e-2), (2, 1e-3)], 20: [(1, 1e-4), (2, 0.0)]}
    axes = plot_distances({"small": lines, "large": {40: [(1, 1e-5)]}})
    assert [axis.get_title() for axis in axes] == ["small", "large"]
    assert [line.get_label() for line in axes[0].lines] == ["10 steps", "20 steps"]
    assert_allclose(axes[0].lines[0].get_ydata(), [1e-2, 1e-3])
    assert np.isnan(axes[0].lines[1].get_ydata()[1])  # a distance of 0 has no place on a log axis
    assert axes[0].get_yscale() == "log"
    with pytest.raises(ValueError, match="panels is empty"):
        plot_distances({})


def heights(axis):
    """Return the bars of a panel that are in sight: {(left, right): height}."""
    found = {}
    for patch in axis.patches:
        values, edges, _ = patch.get_data()
        found |= {(a, b): h for h, a, b in zip(values, edges[:-1], edges[1:], strict=True) if h > 0.01}
    return found


def test_the_bars_add_up_to_all_eigenvalues():
    found, values = density(bulk()), bulk()
    ends = extreme_eigenvalues(diagonal(values), len(values), k=4)
    axes = plot_densities({"one": HessianTriple(found, found, found)}, {"one": HessianTriple(None, ends, None)}, "all")
    assert axes.shape == (1, 3)
    for axis in axes[0]:
        assert sum(heights(axis).values()) == pytest.approx(len(values), rel=1e-2)
        assert len(texts(axis)) == 1  # the share of the grey bar
    above = sum(height for (left, _), height in heights(axes[0, 0]).items() if left > 10)
    assert above == pytest.approx(3, abs=3)
    (marks,) = axes[0, 1].lines
    assert {30.0, 40.0, 60.0} <= {round(float(x), 6) for x in marks.get_xdata()}
    assert not axes[0, 0].lines
    assert not axes[0, 2].lines


def test_matrices_of_any_size_and_a_zero_matrix_can_be_drawn():
    rows = {
        "zero": HessianTriple(density(np.zeros(20)), density(np.ones(20)), density(bulk(scale=1e-150))),
        "huge": HessianTriple(density(-np.ones(20)), density(bulk(scale=1e150)), density([5.0])),
    }
    axes = plot_densities(rows, {}, "odd")
    assert texts(axes[0, 0]) == ["the matrix is zero:\nall its eigenvalues are 0"]
    assert all(heights(axis) for axis in axes.ravel()[1:])
    with pytest.raises(ValueError, match="rows is empty"):
        plot_densities({}, {}, "nothing")


def test_layers_have_a_curve_each_and_a_map():
    layers = {"first": density(bulk()), "zero": density(np.zeros(3)), "last": density(bulk(scale=1e6))}
    apart = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 1.0], [0.5, 1.0, 0.0]])
    axes = plot_layer_densities({"network": layers}, {"network": apart}, "heading")
    assert axes.shape == (1, 2)
    assert [line.get_label() for line in axes[0, 0].lines] == ["first: 60", "zero: 0", "last: 6e+07"]
    for line in axes[0, 0].lines:
        assert np.all(np.diff(line.get_ydata()) >= 0)
        assert line.get_ydata()[-1] == pytest.approx(1)
        assert abs(line.get_xdata()).max() in (0, 1)
    assert_array_equal(axes[0, 1].images[0].get_array(), apart)
    assert [label.get_text() for label in axes[0, 1].get_xticklabels()] == list(layers)
    with pytest.raises(ValueError, match="rows is empty"):
        plot_layer_densities({}, {}, "nothing")


def test_sharpness_beside_two_over_the_rate():
    record = Sharpness(np.geomspace(10, 1, 11), np.array([0, 5, 10]), np.array([1.0, 3.0, 4.0]), np.full(3, 0.1))
    loss, sharpness = plot_sharpness(record, rate=0.5)
    assert_array_equal(loss.lines[0].get_ydata(), record.losses)
    assert_array_equal(sharpness.lines[0].get_ydata(), record.values)
    assert set(sharpness.lines[-1].get_ydata()) == {4.0}
    assert "2 / rate = 4" in sharpness.get_legend_handles_labels()[1]
